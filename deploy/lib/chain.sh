# chain.sh - the demonstration's chain: the contracts on it, the network's key and what it may sign. Sourced; wants
# $dir, $here, $chain_port, as and fail.
chain_url=http://127.0.0.1:$chain_port
addresses=$dir/chain/addresses.json
contracts=$here/../contracts
# anvil's first account, which everybody knows: it deploys here and has what the contracts earn.
deployer_key=0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80

# chain_ask METHOD [PARAMETER]: what the chain answers.
chain_ask() {
	curl -sf -H 'content-type: application/json' "$chain_url" \
		-d "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"$1\",\"params\":[${2:-}]}" | jq -er .result 2>/dev/null
}
chain_ready() { [[ $(chain_ask eth_chainId) == 0xd0a ]]; }

# deployer PROGRAM ARGUMENTS...: one of contracts/deploy, with the deployer's key. Only one at a time may use that
# key, so what a killed start has left of it is ended like the others.
deployer() {
	local program=$1
	shift
	KAISAR_DEPLOYER_KEY=$deployer_key "$contracts/deploy/$program" --rpc "$chain_url" --addresses "$addresses" "$@" \
		>"$dir/logs/deploy.log" 2>&1 8>&- &
	echo $! >>"$dir/up.pids"
	wait $! || fail "$(tail -n 1 "$dir/logs/deploy.log"); \`./dev clean\` begins anew"
}

# The network's key for the chain, which only the signer opens; its address.
network_key() {
	[[ -s $dir/signer/address ]] || {
		rm -f "$dir/signer/key.json"
		as operator signer create --light --state "$dir/signer" >"$dir/signer.new"
		mv "$dir/signer.new" "$dir/signer/address"
	}
	cat "$dir/signer/address"
}

# What the signer signs: the calls of a network whose demonstration takes minutes, and no more money in a day than the
# escrow moves.
signer_policy() {
	jq --slurpfile parameters "$dir/chain/parameters.json" '
		def rule($contract): {contract: .contracts[$contract].address, max_gas: 5000000,
			max_fee_wei: 1000000000000, calls_per_day: 20000};
		($parameters[0].escrow.tokens) as $tokens | .contracts as $at
		| {tokens: [$tokens[] | {token: ({stablecoin: $at.Dollar.address, kai: $at.Token.address}[.token]),
			units_per_day: .daily_limit}]} as $money
		| {chain_id: .chain_id, kinds: {anchor: rule("Anchor"), settle: (rule("Escrow") + $money),
			return: (rule("Escrow") + $money), propose: (rule("Distributor") + {units_per_day: "10000000000000000000000000"}), activate: rule("Distributor")}}' \
		"$addresses" >"$dir/signer/policy.new"
	mv "$dir/signer/policy.new" "$dir/signer/policy.json"
}
signer_ready() { as operator signer status --state "$dir/signer" >/dev/null 2>&1; }

# The contracts, each once, and what people need to use them. Both programs do what is missing only.
deploy_contracts() {
	local name network wallets=()
	network=$(network_key)
	# The parameters decide the addresses: those of the first start.
	[[ -s $dir/chain/parameters.json ]] || {
		jq --arg network "$network" '.escrow.settler = $network | .distributor.publisher = $network | .distributor.delay_s = 5' \
			"$contracts/deploy/parameters.local.json" >"$dir/chain/parameters.new"
		mv "$dir/chain/parameters.new" "$dir/chain/parameters.json"
	}
	for name in provider checker holder tenant; do
		wallets+=(--wallet "$(as "$name" wallet address)")
	done
	# Blocks as they are needed, until this is done.
	chain_ask evm_setAutomine true >/dev/null || true
	deployer deploy.js --parameters "$dir/chain/parameters.json"
	deployer demonstration.js "${wallets[@]}" --network "$network"
	chain_ask evm_setIntervalMining 1 >/dev/null || true
	jq -r '.contracts | to_entries[] | "\(.key) \(.value.address)"' "$addresses" |
		while read -r name address; do printf '    %-12s %s\n' "$name" "$address"; done
}

# registrations KEY: how often a machine's key was registered, which its next consent names.
registrations() {
	local registry key=${1#0x}
	registry=$(jq -r .contracts.Registry.address "$addresses")
	# nonces(address)
	echo $(($(chain_ask eth_call "{\"to\":\"$registry\",\"data\":\"0x7ecebe00000000000000000000000000$key\"},\"latest\"")))
}

# Escrow.treasury()
treasury() {
	local word
	word=$(chain_ask eth_call "{\"to\":\"$(jq -r .contracts.Escrow.address "$addresses")\",\"data\":\"0x61d027b3\"},\"latest\"")
	echo "0x${word: -40}"
}

licensed() { as checker checker status "$1" -o json | jq -e '.licences > 0' >/dev/null; }

# free_licences N: the holder's that count nowhere; N of them or more, once they are final.
free_licences() {
	local ids=()
	for _ in $(seq 300); do
		mapfile -t ids < <(as holder licence list -o json | jq -r '.[] | select(.state != "accepted") | .licence')
		((${#ids[@]} < $1)) || break
		sleep 0.1
	done
	((${#ids[@]} >= $1)) || fail "the holder's licences are not final after 30 s: \`kaisar admin chain\` says why"
	printf '%s\n' "${ids[@]}"
}

# Each of the checkers that has no licence gets one, bought if need be. Two wallets send side by side.
license_checkers() {
	local i have log=$dir/logs/licences.log ids=() wanted=()
	for i in 1 2 3; do licensed "${checkers[i]}" || wanted+=("$i"); done
	((${#wanted[@]})) || return 0
	(for i in "${wanted[@]}"; do
		as checker checker consent --state "$dir/checker$i" --owner "$(as checker wallet address)" \
			--nonce "$(registrations "${checkers[i]}")" >"$dir/consent$i.json"
		as checker checker register "$dir/consent$i.json"
	done) >"$log" 2>&1 &
	have=$(as holder licence list -o json | jq '[.[] | select(.state != "accepted")] | length')
	if ((have < ${#wanted[@]})); then
		as holder licence buy --quantity $((${#wanted[@]} - have)) >"$log.bought" 2>&1 || fail "$(tail -n 1 "$log.bought")"
	fi
	wait $! || fail "$(tail -n 1 "$log")"
	mapfile -t ids < <(free_licences ${#wanted[@]})
	for i in "${!wanted[@]}"; do
		as holder licence delegate "${ids[i]}" "${checkers[wanted[i]]}" >>"$log" 2>&1 || fail "$(tail -n 1 "$log")"
		as checker checker accept "${ids[i]}" >>"$log" 2>&1 || fail "$(tail -n 1 "$log")"
	done
	for i in "${wanted[@]}"; do
		for _ in $(seq 300); do
			if licensed "${checkers[i]}"; then break; fi
			sleep 0.1
		done
	done
}
