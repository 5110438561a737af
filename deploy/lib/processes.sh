# processes.sh - what deploy/up runs, for as long as it runs: one start of DIR at a time, each program ended in its
# order, and what a killed start has left ended before the next. Sourced; wants $dir, $here, say and fail.
pids=() names=() commands=()

lock() {
	exec 8>"$dir/up.lock"
	# What a killed start was just calling holds it a little longer.
	flock -w 3 8 || fail "a network is running in $dir (process $(cat "$dir/up.pid" 2>/dev/null)):" \
		"end it with Ctrl-C where it runs, or with kill"
}

# end PID: lets it end, and does not wait forever.
end() {
	kill -TERM "$1" 2>/dev/null || return 0
	for _ in $(seq 300); do
		kill -0 "$1" 2>/dev/null || return 0
		sleep 0.1
	done
	kill -KILL "$1" 2>/dev/null || true
}

# What a killed start has left: its programs go on without it. A process that has got the id of one
# since then is not of DIR.
end_leftovers() {
	local pid
	[[ -f $dir/up.pids ]] || return 0
	for pid in $(tac "$dir/up.pids"); do
		if tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "$dir/"; then
			say "ending process $pid, which a killed start has left"
			end "$pid"
		fi
	done
	rm -f "$dir/up.pids"
}

# by_hand: the parts that go on in DIR without a start of it, because somebody started one again with the command
# that `stay` told. The signer and the chain last.
by_hand() {
	local part at pid
	for part in "worker run .*--state $dir/worker" "checker run .*--state $dir/checker[123]" \
		"signer run .*--state $dir/signer" "chain --dir $dir/chain"; do
		for at in /proc/[0-9]*/cmdline; do
			pid=${at//[!0-9]/}
			[[ " ${pids[*]} " != *" $pid "* ]] || continue
			if tr '\0' ' ' 2>/dev/null <"$at" | grep -qE "(^|/| )$part "; then echo "$pid"; fi
		done
	done
}

end_by_hand() {
	local pid
	for pid in $(by_hand); do
		say "ending process $pid, which was started by hand: $(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline")"
		end "$pid"
	done
}

finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM
	((${#pids[@]} == 0)) || {
		say "stopping; the data stays in $dir"
		end_by_hand
	}
	# The last started ends first: the agent before the control plane before the engine.
	for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
		if kill -0 "${pids[i]}" 2>/dev/null; then
			end "${pids[i]}"
		elif [[ ${names[i]} == engine ]]; then
			"$here/podman-service" --down "$engine" || true
		fi
	done
	rm -f "$dir/up.pid" "$dir/up.pids"
	exit "$status"
}

# start NAME READY COMMAND...: runs COMMAND in the background with its log in DIR/logs/NAME.log until
# READY succeeds.
start() {
	local name=$1 ready=$2 pid
	shift 2
	# A session of its own: Ctrl-C is for this script, which ends all in their order.
	setsid "$@" >>"$dir/logs/$name.log" 2>&1 8>&- &
	pid=$!
	pids+=("$pid")
	names+=("$name")
	commands+=("$*")
	echo "$pid" >>"$dir/up.pids"
	for _ in $(seq 600); do
		if $ready; then return 0; fi
		kill -0 "$pid" 2>/dev/null || {
			tail -n 20 "$dir/logs/$name.log" >&2
			fail "$name ended; its log is $dir/logs/$name.log"
		}
		sleep 0.05
	done
	fail "$name is not ready after 30 s; its log is $dir/logs/$name.log"
}

# gone PID: it has ended.
gone() { ! kill -0 "$1" 2>/dev/null; }

# stay: until Ctrl-C. A network goes on without its chain, its signer, a checker or a worker, and knows what to do then;
# not without the others. Several may have ended while one was waited for.
stay() {
	local i kept
	trap 'exit 0' INT TERM
	while true; do
		{ wait -n "${pids[@]}" || true; } 2>/dev/null
		kept=()
		for i in "${!pids[@]}"; do
			if gone "${pids[i]}"; then tell_end "$i"; else kept+=("$i"); fi
		done
		keep "${kept[@]}"
	done
}

tell_end() {
	local name=${names[$1]}
	[[ $name =~ ^(checker.|worker|chain|signer)$ ]] || fail "the $name has ended; its log is $dir/logs/$name.log"
	say "the $name has ended; the network goes on. Its log is $dir/logs/$name.log; again with:"
	echo "    ${commands[$1]}"
}

# keep I...: those of what was started.
keep() {
	local i was_pids=("${pids[@]}") was_names=("${names[@]}") was_commands=("${commands[@]}")
	pids=() names=() commands=()
	for i; do
		pids+=("${was_pids[i]}")
		names+=("${was_names[i]}")
		commands+=("${was_commands[i]}")
	done
}
