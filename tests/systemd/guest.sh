#!/usr/bin/env bash
# Inside the virtual machine of service_test, as root: rftd installed as docs/operations.md says, used by alice.
set -Eeuo pipefail
trap 'echo "guest: FAILED at line $LINENO"; journalctl -u rftd --no-pager | tail -40' ERR
export HOME=/root RFTD_HOME=/var/lib/rftd

cp -a /host/installed/usr/. /usr/
# As if LibTorch had been put below /opt before the build.
mkdir -p /etc/systemd/system/rftd.service.d
printf '[Service]\nEnvironment=LD_LIBRARY_PATH=/opt/libtorch/torch/lib\n' >/etc/systemd/system/rftd.service.d/libtorch.conf
systemd-sysusers
systemd-tmpfiles --create rftd.conf
useradd --create-home --groups rftd alice
useradd --create-home mallory
systemctl daemon-reload
systemctl start rftd

as() { runuser -u "$1" -- env LD_LIBRARY_PATH=/opt/libtorch/torch/lib RFTD_HOME=$RFTD_HOME "${@:2}"; }
fails() { if "$@"; then return 1; fi; }
well() { echo "guest: ok: $*"; }
pid() { systemctl show --property MainPID --value rftd; }

findings=$(as alice rftctl doctor || true)
grep -q 'a view of only what it needs, a system call filter, Landlock, limits' <<<"$findings"
grep -q 'with limits of memory and pids' <<<"$findings"
well "the sandbox and the cgroup are whole"

fails as mallory rftctl ls 2>/tmp/refused
grep -q 'is not for you: it serves user rftd and the group rftd' /tmp/refused
fails as mallory touch $RFTD_HOME/incoming/mine
well "whoever is not in the group is refused"

# make_job NAME <SCORER: a job of alice's in /home/alice/NAME.
make_job() {
  as alice mkdir "/home/alice/$1"
  for split in train valid; do
    for i in 1 2 3 4 5 6 7 8; do echo "{\"input\": \"say $i\", \"output\": \"$i\"}"; done >"/home/alice/$1/$split.jsonl"
  done
  cat >"/home/alice/$1/scorer.py"
  cat >"/home/alice/$1/job.toml" <<'TOML'
[model]
path = "tiny"
[data]
train = "train.jsonl"
validation = "valid.jsonl"
[scorer]
plugin = "scorer.py"
timeout_s = 300
[training]
epochs = 1
[ppo]
num_ppo_epochs = 1
minibatches = 1
[rollout]
max_new_tokens = 4
[retry]
max_attempts = 1
TOML
  chown -R alice: "/home/alice/$1"
}
run_job() { as alice mv "/home/alice/$1" $RFTD_HOME/incoming/ && as alice rftctl wait "$1"; }

make_job good <<<'
def score(episodes):
    return [float(len(e["completion"]) % 2) for e in episodes]'
as alice rftctl models new --recipe tiny --layers 1 --hidden 32 --heads 2 --kv-heads 2 --from /home/alice/good/train.jsonl tiny
run_job good
as alice rftctl export good /home/alice/model
test -s /home/alice/model/model.safetensors
well "a member's job runs to its model"

daemon=$(pid)
make_job greedy <<<'
import subprocess
def score(episodes):
    hold = "import time; held = bytearray(900 << 20); time.sleep(1000)"
    held = [subprocess.Popen(["python3", "-c", hold]) for _ in range(6)]
    held[0].wait()
    return [0.0 for e in episodes]'
fails run_job greedy
as alice rftctl why greedy | grep 'took more memory than'
well "memory.max ends what a scorer starts, all of it together"

make_job forks <<<'
import subprocess
def score(episodes):
    for _ in range(2000): subprocess.Popen(["sleep", "1000"])
    return [0.0 for e in episodes]'
fails run_job forks
as alice rftctl why forks | grep 'Resource temporarily unavailable'
well "pids.max stops a scorer from starting processes without end"
[ "$(pid)" = "$daemon" ]
test -d "/sys/fs/cgroup/system.slice/rftd.service/rftd-$daemon/main"
[ -z "$(find /sys/fs/cgroup/system.slice/rftd.service -name 'plugin-*')" ]
well "the daemon is the same, and nothing of the plugins is left"

kill -9 "$daemon"
while [ "$(pid)" = "$daemon" ] || ! as alice rftctl ls >/dev/null 2>&1; do sleep 1; done
[ "$(as alice rftctl ls | grep -c -e good -e greedy -e forks)" = 3 ]
well "after a kill the service is back with its jobs"

systemctl stop rftd
[ "$(systemctl show --property Result --value rftd)" = success ]
well "it stops"
echo "guest: all is well"
