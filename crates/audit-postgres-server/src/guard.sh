# Runs a PostgreSQL server for a process that writes one command a line. When the input ends, which it
# does however that process ends, stops the server and removes its directory.
#
# $1: the directory of the server; $2: that of the programs of PostgreSQL.
directory=$1 programs=$2
data=$directory/data
server= port=

# The server does not outlive this process if nobody reads its answers.
trap '' PIPE

run() {
    "$@" < /dev/null >> "$directory/output" 2>&1
}

is_ready() {
    run "$programs/psql" -X -h "$directory" -p "$port" -U postgres -d postgres -c 'SELECT 1'
}

# Waits until the server answers. Fails when it has ended, or after two minutes.
launch() {
    "$programs/postgres" -D "$data" < /dev/null >> "$directory/log" 2>&1 &
    server=$!
    tries=0
    until is_ready; do
        tries=$((tries + 1))
        if ! kill -0 "$server" 2> /dev/null || [ "$tries" -gt 2400 ]; then
            halt KILL
            return 1
        fi
        sleep 0.05
    done
}

# The processes of a killed server live on for a moment, and a new one refuses to start beside them.
start() {
    : > "$directory/log"
    attempts=0
    until launch; do
        attempts=$((attempts + 1))
        if [ "$attempts" -gt 200 ] || ! grep -q 'still in use' "$directory/log"; then return 1; fi
        : > "$directory/log"
        sleep 0.05
    done
}

halt() {
    [ -n "$server" ] || return 1
    kill -"$1" "$server" 2> /dev/null
    wait "$server" 2> /dev/null
    server=
}

while read -r command argument; do
    : > "$directory/output"
    case $command in
        init)
            run "$programs/initdb" -D "$data" -U postgres --encoding=UTF8 --locale=C --no-sync \
                --auth-local=trust --auth-host=scram-sha-256 --pwfile="$directory/password"
            ;;
        follow)
            run "$programs/pg_basebackup" -D "$data" -X stream -c fast -R --no-sync \
                -d "$argument user=postgres application_name=${directory##*/}"
            ;;
        backup)
            run "$programs/pg_basebackup" -D "$directory/${argument%% *}" -X stream -c fast --no-sync \
                -d "${argument#* } user=postgres"
            ;;
        recover) run cp -R "$argument" "$data" && run touch "$data/recovery.signal" ;;
        start) port=$argument && start ;;
        stop) halt INT ;;
        kill) halt KILL ;;
        reload) [ -n "$server" ] && kill -HUP "$server" ;;
        promote) run "$programs/pg_ctl" promote -w -D "$data" ;;
        *) false ;;
    esac
    echo $?
done

halt QUIT
rm -rf "$directory"
