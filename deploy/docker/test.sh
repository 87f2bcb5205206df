#!/bin/bash
# Trains in containers: up, scaled while it runs, the learner killed and started again, down; looks at what each container
# may do and which secrets it sees; gives an actor a wrong key. Ends with a verdict line.
# LONGSHORE_TEST_BUILD=no takes the images as they are; LONGSHORE_TEST_PATIENCE bounds each wait, in seconds.
set -euo pipefail
cd "$(dirname "$0")/../.."

export COMPOSE_PROJECT_NAME=longshore-test-$$
RUN=/runs/compose
PATIENCE=${LONGSHORE_TEST_PATIENCE:-300}

say() { printf 'docker-test: %s\n' "$*" >&2; }
compose() { if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi; }

fail() {
    say "the last lines of every service:"
    compose logs --tail 30 >&2 || true
    echo "docker-test: FAILED: $*"
    exit 1
}

# Environment steps that the learner has written down; 0 before the first line.
steps() {
    local line
    line=$(compose exec -T learner tail -n 1 "$RUN/metrics.jsonl" 2>/dev/null || true)
    line=$(sed -n 's/.*"step":\([0-9]*\).*/\1/p' <<< "$line")
    echo "${line:-0}"
}

# wait_for WHAT COMMAND...: until the command succeeds.
wait_for() {
    local what=$1 start=$SECONDS
    shift
    until "$@"; do
        ((SECONDS - start < PATIENCE)) || fail "$what did not happen within $PATIENCE s"
        sleep 2
    done
    say "$what (after $((SECONDS - start)) s)"
}

steps_above() { (($(steps) > $1)); }
has_checkpoint() { [[ -n $(compose exec -T learner sh -c "ls $RUN/checkpoints 2>/dev/null" || true) ]]; }
# The whole log is read: a reader that stops early would make the writer fail.
learner_says() { compose logs --no-color learner 2>/dev/null | grep -c "$1" >/dev/null; }
# Each life of a shard begins with this line.
shard_read_again() { (($(compose logs --no-color replay-0 2>/dev/null | grep -c 'read what earlier lives of the shard have stored') > 1)); }
actors() { compose ps -q actor | wc -l; }

# The base image that a Dockerfile names.
base() { sed -n "s/^ARG $1=//p" deploy/docker/Dockerfile; }
inspect() { docker inspect -f "{{.$2}}" "$1"; }

# check_guards SERVICE: what no service needs is taken from it.
check_guards() {
    local id
    id=$(compose ps -aq "$1" | head -n 1)
    [[ $(inspect "$id" HostConfig.CapDrop) == "[ALL]" ]] || fail "$1 keeps capabilities"
    [[ $(inspect "$id" HostConfig.SecurityOpt) == "[no-new-privileges:true]" ]] || fail "$1 may gain privileges"
    [[ $(inspect "$id" HostConfig.ReadonlyRootfs) == true ]] || fail "$1 may write to its root folder"
    (($(inspect "$id" HostConfig.Memory) > 0)) || fail "the memory of $1 has no limit"
    [[ $(inspect "$id" HostConfig.PidsLimit) =~ ^[1-9][0-9]*$ ]] || fail "the processes of $1 have no limit"
    [[ $(inspect "$id" HostConfig.RestartPolicy) =~ ^\{(no\ 0|on-failure\ [1-9][0-9]*)\}$ ]] || fail "$1 may be restarted for ever"
}

# check_service SERVICE ROLE: it is guarded, and no secret but its own is anywhere in its files.
check_service() {
    local secrets
    check_guards "$1"
    # Folders that it may not read make `find` fail.
    secrets=$(compose exec -T "$1" find / -path /proc -prune -o -name '*.secret' -print 2>/dev/null || true)
    [[ $secrets == "/keys/$2.secret" ]] || fail "$1 sees these secrets: $secrets"
    compose exec -T "$1" grep -q '^CapEff:[[:space:]]*0*$' /proc/self/status || fail "$1 has capabilities"
    if compose exec -T "$1" touch /keys/new 2>/dev/null; then fail "$1 may write into its key folder"; fi
}

# State, exit status and number of restarts of the only actor.
actor_is() { [[ $(docker inspect -f '{{.State.Status}} {{.State.ExitCode}} {{.RestartCount}}' "$(compose ps -aq actor)") == "$1" ]]; }

tear_down() { compose down --volumes --timeout 5 >&2 2>&1 || true; }

if [[ ${LONGSHORE_TEST_BUILD:-yes} == yes ]]; then
    # Where no registry answers, the base images are made here, under names of their own.
    if [[ -z ${DEBIAN_IMAGE:-} ]] && ! { docker pull -q "$(base DEBIAN_IMAGE)" && docker pull -q "$(base RUST_IMAGE)"; } >&2; then
        eval "$(deploy/docker/base-images.sh)"
    fi
    say "building"
    compose build >&2
fi
trap tear_down EXIT
say "starting"
compose up -d >&2
wait_for "the learner learns" steps_above 0
for service in learner:learner replay-0:replay replay-1:replay actor:actor; do
    check_service "${service%:*}" "${service#*:}"
done
check_guards keys
say "every service is guarded and sees the secret of its own role alone"
wait_for "it writes a checkpoint" has_checkpoint

say "scaling to 4 actors"
compose up -d --no-recreate --scale actor=4 >&2
[[ $(actors) == 4 ]] || fail "there are $(actors) actors, not 4"
wait_for "it goes on with 4 actors" steps_above "$(steps)"

before=$(steps)
learner=$(compose ps -q learner)
say "killing the learner at step $before"
docker kill -s KILL "$learner" >&2
docker start "$learner" >&2
wait_for "the learner resumes from its checkpoint" learner_says resumed
wait_for "it passes step $before" steps_above "$before"
[[ $(actors) == 4 ]] || fail "an actor was lost: $(actors) are left"
for shard in replay-0 replay-1; do
    [[ $(docker inspect -f '{{.RestartCount}}' "$(compose ps -q "$shard")") == 0 ]] || fail "$shard was restarted"
done

before=$(steps)
say "killing shard 0 at step $before"
docker kill -s KILL "$(compose ps -aq replay-0)" >&2
docker start "$(compose ps -aq replay-0)" >&2
wait_for "the shard reads what it had stored" shard_read_again
wait_for "it goes on beyond step $before" steps_above "$before"

say "ending in order"
compose stop --timeout 60 >&2

say "giving an actor a public key that does not belong to its secret"
docker run --rm -v "${COMPOSE_PROJECT_NAME}_keys-actor:/keys" "${LONGSHORE_IMAGE:-longshore}" \
    cp /keys/learner.public /keys/actor.public
compose up -d --no-deps --scale actor=1 actor >&2
wait_for "it gives up after five restarts, with the status of a wrong key" actor_is "exited 8 5"
(($(compose logs --no-color actor 2>/dev/null | grep -c 'actor.public: does not belong to /keys/actor.secret') > 0)) ||
    fail "the actor does not name the two files"

echo "docker-test: passed (step $(docker run --rm -v "${COMPOSE_PROJECT_NAME}_runs:/runs" "${LONGSHORE_IMAGE:-longshore}" \
    tail -n 1 "$RUN/metrics.jsonl" | sed -n 's/.*"step":\([0-9]*\).*/\1/p'), 4 actors, 1 kill of the learner, 1 of a shard, 1 wrong key)"
