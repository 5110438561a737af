// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./lib/Test.sol";
import {MuteCoin} from "./lib/Coins.sol";
import {Tree} from "./lib/Tree.sol";
import {World} from "./lib/World.sol";
import {Distributor} from "../src/Distributor.sol";
import {Escrow} from "../src/Escrow.sol";
import {Licence} from "../src/Licence.sol";
import {Token} from "../src/Token.sol";
import {VestedToken} from "../src/VestedToken.sol";

/// @notice Tenants, providers and the settler in any order, with any sums.
contract EscrowActor is Test {
    address private constant SETTLER = address(0x5E);
    MuteCoin public immutable coin = new MuteCoin();
    Escrow public immutable escrow;
    uint256 public paidOut;

    constructor() {
        address[] memory tokens = new address[](1);
        uint256[] memory limits = new uint256[](1);
        (tokens[0], limits[0]) = (address(coin), type(uint256).max);
        escrow = new Escrow(
            address(1), address(0x7E), SETTLER, address(2), 2 days, 3000, tokens, limits
        );
    }

    function tenant(uint256 i) public pure returns (address) {
        return address(uint160(0x100 + i % 3));
    }

    function provider(uint256 i) public pure returns (address) {
        return address(uint160(0x200 + i % 3));
    }

    function deposit(uint256 who, uint256 amount) external {
        amount = bound(amount, 1, 1e12);
        if (escrow.exitAt(address(coin), tenant(who)) != 0) return;
        coin.mint(tenant(who), amount);
        vm.startPrank(tenant(who));
        coin.approve(address(escrow), amount);
        escrow.deposit(address(coin), tenant(who), amount);
        vm.stopPrank();
    }

    function settle(uint256 who, uint256 whom, uint256 more, uint256 fee, uint256 again) external {
        (uint256 charged, uint256 fees) = escrow.settled(address(coin), tenant(who), provider(whom));
        Escrow.Settlement[] memory items = new Escrow.Settlement[](1 + again % 2);
        more = bound(more, 0, 1e12);
        fee = fees + bound(fee, 0, more * 3 / 10);
        for (uint256 i = 0; i < items.length; i++) {
            items[i] = Escrow.Settlement(tenant(who), provider(whom), charged + more, fee);
        }
        vm.prank(SETTLER);
        escrow.settle(address(coin), items);
    }

    function giveBack(uint256 who, uint256 amount) external {
        amount = bound(amount, 0, escrow.balance(address(coin), tenant(who)));
        uint256 total = escrow.returned(address(coin), tenant(who)) + amount;
        vm.prank(SETTLER);
        escrow.giveBack(address(coin), tenant(who), total);
    }

    function leave(uint256 who, uint256 time) external {
        uint64 when = escrow.exitAt(address(coin), tenant(who));
        if (when != 0) {
            vm.warp(block.timestamp > when ? block.timestamp : when + time % 1 days);
            vm.prank(tenant(who));
            escrow.exit(address(coin));
        } else if (escrow.balance(address(coin), tenant(who)) != 0) {
            vm.prank(tenant(who));
            escrow.requestExit(address(coin));
        }
    }

    function withdraw(uint256 who) external {
        address account = who % 2 == 0 ? tenant(who / 2) : provider(who / 2);
        if (escrow.owed(address(coin), account) == 0) return;
        vm.prank(account);
        paidOut += escrow.withdraw(address(coin), account);
    }
}

contract EscrowInvariants is Test {
    EscrowActor private actor;

    function setUp() public {
        actor = new EscrowActor();
    }

    function targetContracts() external view returns (address[] memory it) {
        it = new address[](1);
        it[0] = address(actor);
    }

    function invariant_the_escrow_can_pay_what_it_owes() public view {
        Escrow escrow = actor.escrow();
        address coin = address(actor.coin());
        uint256 owed = escrow.owed(coin, address(0x7E));
        uint256 balance = 0;
        uint256 deposited = 0;
        for (uint256 i = 0; i < 3; i++) {
            owed += escrow.owed(coin, actor.tenant(i)) + escrow.owed(coin, actor.provider(i));
            balance += escrow.balance(coin, actor.tenant(i));
            deposited += escrow.deposited(coin, actor.tenant(i));
        }
        vm.assertEq(owed, escrow.totalOwed(coin), "owed");
        vm.assertEq(balance, escrow.totalBalance(coin), "balance");
        vm.assertEq(owed + balance, actor.coin().balanceOf(address(escrow)), "held");
        vm.assertEq(owed + balance + actor.paidOut(), deposited, "deposited");
    }
}

/// @notice Epochs, claims and conversions in any order.
contract DistributorActor is Test {
    uint256 public constant SUPPLY = 1e30;
    Token public immutable token = new Token(SUPPLY, address(this));
    Distributor public immutable distributor;
    VestedToken public immutable vested;
    mapping(Distributor.Kind => uint256[3]) private _earned;
    mapping(Distributor.Kind => bytes32[]) private _nodes;
    mapping(Distributor.Kind => uint256[3]) private _inEffect;

    constructor() {
        distributor = new Distributor(address(this), token, address(this), address(2), 1 days);
        vested = distributor.vested();
        token.approve(address(distributor), type(uint256).max);
    }

    function account(uint256 i) public pure returns (address) {
        return address(uint160(0x300 + i % 3));
    }

    function epoch(bool liquid, uint256[3] calldata more, uint256 short) external {
        Distributor.Kind kind = Distributor.Kind(liquid ? 0 : 1);
        uint256 sum = 0;
        bytes32[] memory nodes = new bytes32[](3);
        for (uint256 i = 0; i < 3; i++) {
            _earned[kind][i] += bound(more[i], 0, 1e20);
            sum += _earned[kind][i];
            nodes[i] = distributor.leaf(kind, account(i), _earned[kind][i]);
        }
        Distributor.Pot memory pot = distributor.potOf(kind);
        if (sum > pot.funded) distributor.fund(kind, sum - pot.funded);
        // At times a total that is less than the leaves.
        uint256 floor = pot.active.total;
        uint256 total = short % 4 == 0 && sum > floor ? bound(short, floor, sum) : sum;
        distributor.propose(kind, pot.active.epoch + 1, Tree.root(nodes), total);
        vm.warp(block.timestamp + 1 days);
        distributor.activate(kind);
        _nodes[kind] = nodes;
        _inEffect[kind] = _earned[kind];
    }

    function claim(bool liquid, uint256 who) external {
        Distributor.Kind kind = Distributor.Kind(liquid ? 0 : 1);
        if (_nodes[kind].length == 0) return;
        bytes32[] memory proof = Tree.proof(_nodes[kind], who % 3);
        try distributor.claim(kind, account(who), _inEffect[kind][who % 3], proof) {} catch {}
    }

    function convert(uint256 who, uint256 amount, uint8 period) external {
        amount = bound(amount, 0, vested.balanceOf(account(who)));
        if (amount < 4) return;
        vm.prank(account(who));
        vested.convert(amount, VestedToken.Period(period % 3));
    }

    function release(uint256 which, uint256 time) external {
        if (vested.grantCount() == 0) return;
        vm.warp(block.timestamp + time % 40 days);
        which %= vested.grantCount();
        if (vested.releasable(which) != 0) vested.release(which);
    }

    function grant(uint256 who, uint256 amount) external {
        distributor.grant(account(who), bound(amount, 1, 1e20), uint64(block.timestamp), 0, 9 days);
    }

    function defund(bool liquid, uint256 amount) external {
        Distributor.Kind kind = Distributor.Kind(liquid ? 0 : 1);
        Distributor.Pot memory pot = distributor.potOf(kind);
        distributor.defund(kind, bound(amount, 0, pot.funded - pot.active.total), address(this));
    }
}

contract DistributorInvariants is Test {
    DistributorActor private actor;

    function setUp() public {
        actor = new DistributorActor();
    }

    function targetContracts() external view returns (address[] memory it) {
        it = new address[](1);
        it[0] = address(actor);
    }

    function invariant_payouts_stay_within_what_was_funded() public view {
        Distributor distributor = actor.distributor();
        uint256 held = distributor.totalGranted();
        for (uint8 k = 0; k < 2; k++) {
            Distributor.Kind kind = Distributor.Kind(k);
            Distributor.Pot memory pot = distributor.potOf(kind);
            uint256 claimed = 0;
            for (uint256 i = 0; i < 3; i++) {
                claimed += distributor.claimed(kind, actor.account(i));
            }
            vm.assertEq(claimed, pot.claimed, "claimed");
            vm.assertLe(claimed, pot.active.total, "total");
            vm.assertLe(pot.active.total, pot.funded, "funded");
            held += pot.funded - claimed;
        }
        vm.assertEq(held, actor.token().balanceOf(address(distributor)), "held");
    }

    function invariant_every_vested_unit_is_backed() public view {
        VestedToken vested = actor.vested();
        vm.assertEq(
            vested.totalSupply() + vested.totalGranted(),
            actor.token().balanceOf(address(vested)),
            "backing"
        );
        vm.assertEq(actor.token().totalSupply(), actor.SUPPLY());
    }
}

/// @notice Owners and operators in any order.
contract LicenceActor is World {
    address[3] public machines;

    constructor() {
        setUp();
        for (uint160 i = 0; i < 3; i++) {
            machines[i] = registerChecker(0xC0 + i, address(0x400 + i));
        }
    }

    function cap() external view returns (uint256) {
        return licence.cap();
    }

    function licences() external view returns (Licence) {
        return licence;
    }

    function purchase(uint160 who) external {
        if (sale.roundOf(0).sold < 10 && block.timestamp < NOW + 1 days) {
            buyOne(address(0x500 + who % 3));
        }
    }

    function act(uint256 id, uint256 which, uint256 what) external {
        if (licence.minted() == 0) return;
        id = bound(id, 1, licence.minted());
        address machine = licence.delegationOf(id).machine;
        bool accepted = licence.delegationOf(id).accepted;
        address owner = licence.ownerOf(id);
        what %= 6;
        if (what <= 1) {
            vm.prank(owner);
            licence.delegate(id, machines[which % 3]);
        } else if (machine != address(0) && !accepted && what <= 3) {
            vm.prank(registry.operatorOf(machine));
            licence.accept(id, machine);
        } else if (machine != address(0) && !accepted && what == 4) {
            vm.prank(registry.operatorOf(machine));
            licence.refuse(id, machine);
        } else if (machine != address(0) && which % 2 == 0) {
            vm.prank(owner);
            licence.undelegate(id);
        } else if (what == 5) {
            uint256 free = licence.unlockedAt(id);
            if (block.timestamp < free) return;
            vm.prank(owner);
            licence.transferFrom(owner, address(uint160(0x500 + which % 3)), id);
        }
    }

    function wait(uint256 time) external {
        if (sale.roundOf(0).sold >= 5) vm.warp(block.timestamp + time % 400 days);
    }
}

contract LicenceInvariants is Test {
    LicenceActor private actor;

    function setUp() public {
        actor = new LicenceActor();
    }

    function targetContracts() external view returns (address[] memory it) {
        it = new address[](1);
        it[0] = address(actor);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory it) {
        it = new FuzzSelector[](1);
        it[0].target = address(actor);
        it[0].selectors = new bytes4[](3);
        it[0].selectors[0] = LicenceActor.purchase.selector;
        it[0].selectors[1] = LicenceActor.act.selector;
        it[0].selectors[2] = LicenceActor.wait.selector;
    }

    struct FuzzSelector {
        address target;
        bytes4[] selectors;
    }

    function invariant_counts_equal_the_accepted_licences() public view {
        Licence licence = actor.licences();
        uint256[3] memory counts;
        for (uint256 id = 1; id <= licence.minted(); id++) {
            Licence.Delegation memory it = licence.delegationOf(id);
            for (uint256 i = 0; i < 3; i++) {
                if (it.accepted && it.machine == actor.machines(i)) counts[i]++;
            }
        }
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(counts[i], licence.accepted(actor.machines(i)), "counts");
        }
        vm.assertLe(licence.minted(), licence.cap(), "cap");
    }
}
