#!/bin/sh
# plugins_new.sh RFTCTL KIND LANG: does as a user does who runs `rftctl plugins new` and then exactly what it prints,
# in an empty folder. The last command of each must have installed the plugin.
set -eu
rftctl=$1 kind=$2 lang=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
"$rftctl" plugins new first-one --kind "$kind" --lang "$lang" --home "$folder/home" | sed -n 's/^    //p' > commands
cat commands
[ "$(wc -l < commands)" -ge 4 ]
grep -q 'rftctl plugins check ' commands
sh -eu ./commands
ls "$folder"/home/plugins/first-one*
! grep -rE 'my_scorer|my_adapter|MyScorer|MyAdapter|WHERE_THE' first-one --exclude-dir=build
