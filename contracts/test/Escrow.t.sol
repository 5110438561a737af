// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {GreedyCoin, MuteCoin, ReenteringCoin} from "./lib/Coins.sol";
import {Test} from "./lib/Test.sol";
import {Escrow} from "../src/Escrow.sol";
import {PullPayments} from "../src/PullPayments.sol";

contract EscrowTest is Test {
    address private constant ADMINISTRATOR = address(0xAD);
    address private constant TREASURY = address(0x7E);
    address private constant SETTLER = address(0x5E);
    address private constant GUARDIAN = address(0x60);
    address private constant TENANT = address(0x11);
    address private constant PROVIDER = address(0x22);
    uint256 private constant LIMIT = 1000;
    MuteCoin private coin;
    Escrow private escrow;

    function setUp() public {
        coin = new MuteCoin();
        escrow = make(address(coin));
        coin.mint(TENANT, 10_000);
        vm.prank(TENANT);
        coin.approve(address(escrow), 10_000);
        vm.warp(10 days);
    }

    function make(address token) private returns (Escrow) {
        address[] memory tokens = new address[](1);
        uint256[] memory limits = new uint256[](1);
        (tokens[0], limits[0]) = (token, LIMIT);
        return new Escrow(ADMINISTRATOR, TREASURY, SETTLER, GUARDIAN, 7 days, 1000, tokens, limits);
    }

    function deposit(uint256 amount) private {
        vm.prank(TENANT);
        escrow.deposit(address(coin), TENANT, amount);
    }

    function one(uint256 charged, uint256 fee)
        private
        pure
        returns (Escrow.Settlement[] memory it)
    {
        it = new Escrow.Settlement[](1);
        it[0] = Escrow.Settlement(TENANT, PROVIDER, charged, fee);
    }

    function settle(uint256 charged, uint256 fee) private {
        vm.prank(SETTLER);
        escrow.settle(address(coin), one(charged, fee));
    }

    function refuse(uint256 charged, uint256 fee, bytes memory why) private {
        Escrow.Settlement[] memory it = one(charged, fee);
        vm.prank(SETTLER);
        vm.expectRevert(why);
        escrow.settle(address(coin), it);
    }

    function owed(address account) private view returns (uint256) {
        return escrow.owed(address(coin), account);
    }

    function left() private view returns (uint256) {
        return escrow.balance(address(coin), TENANT);
    }

    function test_a_deposit_is_credited_and_summed_up() public {
        deposit(100);
        vm.expectEmit(address(escrow));
        emit Escrow.Deposited(address(coin), TENANT, TENANT, 50, 150);
        deposit(50);
        vm.assertEq(left(), 150);
        vm.assertEq(escrow.deposited(address(coin), TENANT), 150);
        vm.assertEq(coin.balanceOf(address(escrow)), 150);
    }

    function test_a_settlement_pays_the_provider_and_the_treasury() public {
        deposit(500);
        settle(300, 15);
        vm.assertEq(owed(PROVIDER), 285);
        vm.assertEq(owed(TREASURY), 15);
        vm.assertEq(left(), 200);
        settle(400, 20);
        vm.assertEq(owed(PROVIDER), 380);
        vm.prank(PROVIDER);
        escrow.withdraw(address(coin), address(0x99));
        vm.assertEq(coin.balanceOf(address(0x99)), 380);
    }

    function test_a_replay_pays_nothing() public {
        deposit(500);
        settle(300, 15);
        settle(300, 15);
        settle(200, 10);
        vm.assertEq(owed(PROVIDER), 285);
        vm.assertEq(left(), 200);
    }

    function test_nobody_pays_more_than_they_deposited_nor_holds_others_up() public {
        deposit(100);
        Escrow.Settlement[] memory it = new Escrow.Settlement[](2);
        it[0] = Escrow.Settlement(address(0x33), PROVIDER, 5, 0);
        it[1] = Escrow.Settlement(TENANT, PROVIDER, 50, 0);
        vm.expectEmit(address(escrow));
        emit Escrow.Unpaid(address(coin), address(0x33), PROVIDER, 5);
        vm.prank(SETTLER);
        escrow.settle(address(coin), it);
        vm.assertEq(owed(PROVIDER), 50);
        settle(101, 0);
        vm.assertEq(owed(PROVIDER), 50);
        settle(100, 0);
        vm.assertEq(owed(PROVIDER), 100);
    }

    function test_fees_are_bounded_and_grow_only() public {
        deposit(500);
        refuse(100, 11, abi.encodeWithSelector(Escrow.FeeTooHigh.selector, TENANT, PROVIDER));
        settle(100, 10);
        refuse(200, 9, abi.encodeWithSelector(Escrow.FeeFell.selector, TENANT, PROVIDER));
        settle(190, 10);
        refuse(195, 19, abi.encodeWithSelector(Escrow.FeeTooHigh.selector, TENANT, PROVIDER));
    }

    function test_the_settler_moves_so_much_a_day() public {
        deposit(3000);
        settle(LIMIT, 0);
        refuse(LIMIT + 1, 0, abi.encodeWithSelector(Escrow.DailyLimit.selector, LIMIT, LIMIT + 1));
        vm.warp(11 days);
        settle(2 * LIMIT, 0);
        vm.assertEq(owed(PROVIDER), 2 * LIMIT);
    }

    function test_only_the_settler_settles_and_the_guardian_stops_it() public {
        vm.expectRevert(Escrow.NotTheSettler.selector);
        escrow.settle(address(coin), one(1, 0));
        vm.expectRevert(Escrow.NotTheSettler.selector);
        escrow.giveBack(address(coin), TENANT, 1);
        vm.expectRevert(Escrow.NotTheGuardian.selector);
        escrow.stopSettler();
        vm.prank(GUARDIAN);
        escrow.stopSettler();
        refuse(1, 0, abi.encodeWithSelector(Escrow.NotTheSettler.selector));
        vm.prank(ADMINISTRATOR);
        escrow.setRoles(SETTLER, GUARDIAN);
        deposit(1);
        settle(1, 0);
    }

    function test_what_is_unused_is_given_back_once() public {
        deposit(100);
        for (uint256 i = 0; i < 2; i++) {
            vm.prank(SETTLER);
            escrow.giveBack(address(coin), TENANT, 60);
        }
        vm.assertEq(left(), 40);
        vm.prank(TENANT);
        escrow.withdraw(address(coin), TENANT);
        vm.assertEq(coin.balanceOf(TENANT), 9960);
        vm.prank(SETTLER);
        vm.expectRevert(abi.encodeWithSelector(Escrow.MoreThanDeposited.selector, TENANT, 41, 40));
        escrow.giveBack(address(coin), TENANT, 101);
    }

    function test_a_tenant_leaves_a_silent_network() public {
        deposit(100);
        vm.startPrank(TENANT);
        vm.expectRevert(Escrow.NotLeaving.selector);
        escrow.exit(address(coin));
        escrow.requestExit(address(coin));
        uint64 when = uint64(block.timestamp + 7 days);
        vm.expectRevert(abi.encodeWithSelector(Escrow.Leaving.selector, when));
        escrow.requestExit(address(coin));
        vm.stopPrank();
        settle(30, 0);
        vm.warp(when - 1);
        vm.prank(TENANT);
        vm.expectRevert(abi.encodeWithSelector(Escrow.TooEarly.selector, when));
        escrow.exit(address(coin));
        vm.warp(when);
        settle(100, 0);
        vm.assertEq(left(), 70);
        vm.prank(TENANT);
        escrow.exit(address(coin));
        vm.prank(TENANT);
        escrow.withdraw(address(coin), TENANT);
        vm.assertEq(coin.balanceOf(TENANT), 9970);
        deposit(1);
    }

    function test_nothing_is_deposited_for_who_leaves_until_they_stay() public {
        vm.prank(TENANT);
        vm.expectRevert(Escrow.NothingDeposited.selector);
        escrow.requestExit(address(coin));
        deposit(100);
        vm.prank(TENANT);
        escrow.requestExit(address(coin));
        vm.expectRevert(abi.encodeWithSelector(Escrow.Leaving.selector, block.timestamp + 7 days));
        escrow.deposit(address(coin), TENANT, 1);
        vm.prank(TENANT);
        escrow.cancelExit(address(coin));
        deposit(1);
        vm.prank(TENANT);
        vm.expectRevert(Escrow.NotLeaving.selector);
        escrow.cancelExit(address(coin));
    }

    function test_only_accepted_coins_are_taken() public {
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotAccepted.selector, address(7)));
        escrow.deposit(address(7), TENANT, 1);
        vm.expectRevert(Escrow.NothingDeposited.selector);
        escrow.deposit(address(coin), TENANT, 0);
        vm.prank(ADMINISTRATOR);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotAccepted.selector, address(0)));
        escrow.setTerms(address(0), true, 1);
        deposit(10);
        vm.prank(ADMINISTRATOR);
        escrow.setTerms(address(coin), false, LIMIT);
        vm.prank(TENANT);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NotAccepted.selector, address(coin)));
        escrow.deposit(address(coin), TENANT, 1);
        settle(10, 0);
    }

    function test_only_the_administrator_changes_terms_and_roles() public {
        bytes memory denied =
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this));
        vm.expectRevert(denied);
        escrow.setTerms(address(coin), true, 1);
        vm.expectRevert(denied);
        escrow.setRoles(address(this), address(this));
    }

    function test_a_coin_with_a_fee_of_its_own_is_refused() public {
        GreedyCoin greedy = new GreedyCoin();
        escrow = make(address(greedy));
        greedy.mint(address(this), 100);
        greedy.approve(address(escrow), 100);
        vm.expectRevert(abi.encodeWithSelector(PullPayments.InexactTransfer.selector, 100, 99));
        escrow.deposit(address(greedy), TENANT, 100);
    }

    function test_a_coin_that_calls_back_deposits_and_is_paid_once() public {
        ReenteringCoin sly = new ReenteringCoin();
        escrow = make(address(sly));
        sly.mint(address(sly), 100);
        sly.mint(address(this), 100);
        sly.approve(address(escrow), 100);
        sly.aim(address(escrow), abi.encodeCall(Escrow.deposit, (address(sly), address(sly), 0)));
        escrow.deposit(address(sly), address(sly), 100);
        sly.aim(
            address(escrow), abi.encodeCall(PullPayments.withdraw, (address(sly), address(sly)))
        );
        vm.prank(SETTLER);
        escrow.giveBack(address(sly), address(sly), 50);
        vm.prank(address(sly));
        escrow.withdraw(address(sly), address(1));
        vm.assertFalse(sly.succeeded());
        vm.assertEq(sly.balanceOf(address(escrow)), 50);
    }

    function testFuzz_sums_meet_however_they_are_cut(uint256[8] memory cuts) public {
        deposit(LIMIT);
        uint256 charged = 0;
        for (uint256 i = 0; i < cuts.length; i++) {
            charged += bound(cuts[i], 0, LIMIT / 8);
            settle(charged, charged / 20);
        }
        vm.assertEq(owed(PROVIDER) + owed(TREASURY), charged);
        vm.assertEq(owed(TREASURY), charged / 20);
        vm.assertEq(left(), LIMIT - charged);
    }
}
