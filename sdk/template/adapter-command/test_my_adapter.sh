#!/bin/sh
# A record in, an answer out.
cd "$(dirname "$0")" || exit 1
answer=$(echo '{"index":0,"of":1,"record":{"question":"Which fruit?","answer":"apple"}}' | ./my_adapter)
case $answer in
  *'Which fruit?'*'"output": "apple"'*) echo ok ;;
  *) echo "wrong: $answer"; exit 1 ;;
esac
