#!/bin/sh
# Stands in for `longshore train` in tests of the coordinator: reports a score of its configuration in steps of 10,000, goes on from
# where it was stopped or from a copy, and ends in order on SIGTERM. With `epochs = 3` its group is killed in its first start, with 4 it diverges.
config=$3
folder=$5
seed=${8#seed=}
mkdir -p "$folder"
if [ "$9" = --copy-from ] && [ ! -e "$folder/steps" ]; then
    cp "${10}/steps" "$folder/steps"
    echo "{\"copied_from\":$(cat "${10}/manifest.json")}" > "$folder/run.json"
    cp "$config" "$folder/config.toml"
    # With a file `wrong` beside the trials, the learner goes on with another learning rate than it was given.
    [ -e "${10}/../../wrong" ] && sed -i 's/^from = .*/from = 0.5/' "$folder/config.toml"
fi
steps=$(cat "$folder/steps" 2>/dev/null || echo 0)
rate=$(awk '/^\[learner.learning_rate\]/ { here = 1; next } /^\[/ { here = 0 } here && /^from/ { print $3 }' "$config")
budget=$(awk '/^budget_steps/ { print $3 }' "$config")
epochs=$(awk '/^epochs/ { print $3 }' "$config")
echo "start at $steps" >> "$folder/starts"
if [ "$epochs" = 4 ]; then
    echo "the loss is not finite"
    exit 9
fi
trap 'exit 130' TERM
while [ "$steps" -lt "$budget" ]; do
    sleep 0.15 &
    wait $!
    steps=$((steps + 10000))
    awk -v rate="$rate" -v steps="$steps" -v seed="$seed" 'BEGIN {
        printf "{\"step\":%d,\"eval/score\":%.9f}\n", steps, (log(rate) - log(0.001)) ^ 2 + 10000 / steps + seed / 100
    }' >> "$folder/metrics.jsonl"
    echo "$steps" > "$folder/steps.tmp" && mv "$folder/steps.tmp" "$folder/steps"
    mkdir -p "$folder/checkpoints/v00000001"
    echo "$steps" > "$folder/checkpoints/v00000001/steps"
    echo "{\"run\":\"$folder\",\"version\":1,\"environment_steps\":$steps}" > "$folder/checkpoints/v00000001/manifest.json"
    if [ "$epochs" = 3 ] && [ ! -e "$folder/killed" ]; then
        touch "$folder/killed"
        kill -9 0
    fi
done
