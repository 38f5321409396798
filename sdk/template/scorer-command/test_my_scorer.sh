#!/bin/sh
# An episode in, an answer out.
cd "$(dirname "$0")" || exit 1
answer=$(echo '{"index":0,"of":1,"completion":"a stone","record":{"keyword":"apple"}}' | ./my_scorer)
case $answer in
  *'"score": 0.2'*'"keyword missing"'*) echo ok ;;
  *) echo "wrong: $answer"; exit 1 ;;
esac
