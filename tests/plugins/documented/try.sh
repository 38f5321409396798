# try.sh RFT_PLUGIN_HOST: the built plugins answer as the documents say; one that takes no options refuses them.
set -eu
host=$1
expect() {
  case $2 in *"$1"*) ;; *) echo "wanted: $1"; echo "got:    $2"; exit 1 ;; esac
}

ticket='{"prompt": "My money?", "completion": "refund", "record": {"solved_by": "refund"}}'
expect '{"score":1.0,"valid":true,"reason":"wanted refund"}' "$(echo "$ticket" | "$host" score triage.so)"
expect 'there are none (while it was being loaded)' \
  "$(echo "$ticket" | "$host" score triage.so --options '{"bonus": 2}' 2>&1 || true)"
expect '{"score":1.0,"valid":true,"reason":"polite"}' \
  "$(echo '{"prompt": "Ask.", "completion": "Tea, please.", "record": {}}' | "$host" score polite.so)"
echo '{"question": "Why?", "answer": "Because."}' > data.jsonl
"$host" convert questions.so data.jsonl canonical.jsonl
expect '"prompt":"Q: Why?\nA:"' "$(cat canonical.jsonl)"
"$host" convert paragraphs.so data.jsonl canonical.jsonl
expect '"prompt":"{\"question\"' "$(cat canonical.jsonl)"
