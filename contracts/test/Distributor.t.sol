// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Test} from "./lib/Test.sol";
import {Tree} from "./lib/Tree.sol";
import {Distributor} from "../src/Distributor.sol";
import {Token} from "../src/Token.sol";
import {VestedToken} from "../src/VestedToken.sol";
import {Vesting} from "../src/Vesting.sol";

contract DistributorTest is Test {
    address private constant ADMINISTRATOR = address(0xAD);
    address private constant PUBLISHER = address(0x9B);
    address private constant GUARDIAN = address(0x60);
    Distributor.Kind private constant LIQUID = Distributor.Kind.Liquid;
    Distributor.Kind private constant VESTED = Distributor.Kind.Vested;
    Token private token;
    VestedToken private vested;
    Distributor private distributor;

    function setUp() public {
        vm.warp(10 days);
        token = new Token(1_000_000, address(this));
        distributor = new Distributor(ADMINISTRATOR, token, PUBLISHER, GUARDIAN, 3 days);
        vested = distributor.vested();
        token.approve(address(distributor), type(uint256).max);
        distributor.fund(LIQUID, 100_000);
        distributor.fund(VESTED, 100_000);
    }

    /// Accounts 1, 2, 3 earned these sums.
    function leaves(Distributor.Kind kind, uint256 a, uint256 b, uint256 c)
        private
        view
        returns (bytes32[] memory nodes)
    {
        nodes = new bytes32[](3);
        nodes[0] = distributor.leaf(kind, address(1), a);
        nodes[1] = distributor.leaf(kind, address(2), b);
        nodes[2] = distributor.leaf(kind, address(3), c);
    }

    function propose(Distributor.Kind kind, uint64 epoch, bytes32[] memory nodes, uint256 total)
        private
    {
        vm.prank(PUBLISHER);
        distributor.propose(kind, epoch, Tree.root(nodes), total);
    }

    function inEffect(Distributor.Kind kind, uint64 epoch, uint256 a, uint256 b, uint256 c)
        private
        returns (bytes32[] memory nodes)
    {
        nodes = leaves(kind, a, b, c);
        propose(kind, epoch, nodes, a + b + c);
        vm.warp(block.timestamp + 3 days);
    }

    function claim(Distributor.Kind kind, uint160 account, uint256 sum, bytes32[] memory nodes)
        private
        returns (uint256)
    {
        return distributor.claim(kind, address(account), sum, Tree.proof(nodes, account - 1));
    }

    function test_a_claim_pays_what_was_not_paid_before() public {
        bytes32[] memory nodes = inEffect(LIQUID, 1, 10, 20, 30);
        vm.assertEq(claim(LIQUID, 1, 10, nodes), 10);
        nodes = inEffect(LIQUID, 2, 15, 20, 30);
        vm.assertEq(claim(LIQUID, 1, 15, nodes), 5);
        vm.assertEq(claim(LIQUID, 2, 20, nodes), 20);
        vm.assertEq(token.balanceOf(address(1)), 15);
        vm.assertEq(distributor.potOf(LIQUID).claimed, 35);
    }

    function test_nothing_is_claimed_twice() public {
        bytes32[] memory nodes = inEffect(LIQUID, 1, 10, 20, 30);
        claim(LIQUID, 1, 10, nodes);
        vm.expectRevert(Distributor.NothingToClaim.selector);
        this.outerClaim(LIQUID, 1, 10, nodes);
    }

    function outerClaim(
        Distributor.Kind kind,
        uint160 account,
        uint256 sum,
        bytes32[] calldata nodes
    ) external {
        claim(kind, account, sum, nodes);
    }

    function test_only_what_a_leaf_says_is_paid() public {
        bytes32[] memory nodes = inEffect(LIQUID, 1, 10, 20, 30);
        bytes32[] memory proof = Tree.proof(nodes, 0);
        vm.expectRevert(Distributor.WrongProof.selector);
        distributor.claim(LIQUID, address(1), 11, proof);
        vm.expectRevert(Distributor.WrongProof.selector);
        distributor.claim(LIQUID, address(9), 10, proof);
        vm.expectRevert(Distributor.WrongProof.selector);
        distributor.claim(VESTED, address(1), 10, proof);
        vm.chainId(5);
        vm.expectRevert(Distributor.WrongProof.selector);
        distributor.claim(LIQUID, address(1), 10, proof);
    }

    function test_a_root_waits_for_its_delay() public {
        bytes32[] memory nodes = leaves(LIQUID, 1, 2, 3);
        propose(LIQUID, 1, nodes, 6);
        vm.warp(block.timestamp + 3 days - 1);
        vm.expectRevert(Distributor.WrongProof.selector);
        this.outerClaim(LIQUID, 1, 1, nodes);
        vm.warp(block.timestamp + 1);
        vm.assertEq(claim(LIQUID, 1, 1, nodes), 1);
    }

    function test_the_guardian_withdraws_a_root_in_time() public {
        bytes32[] memory nodes = leaves(LIQUID, 1, 2, 3);
        propose(LIQUID, 1, nodes, 6);
        vm.expectRevert(Distributor.NotTheGuardian.selector);
        distributor.dispute(LIQUID, 1);
        vm.startPrank(GUARDIAN);
        vm.expectRevert(Distributor.NoRootPending.selector);
        distributor.dispute(LIQUID, 2);
        distributor.dispute(LIQUID, 1);
        vm.stopPrank();
        vm.warp(block.timestamp + 3 days);
        vm.expectRevert(Distributor.WrongProof.selector);
        this.outerClaim(LIQUID, 1, 1, nodes);
        propose(LIQUID, 1, nodes, 6);
        vm.warp(block.timestamp + 3 days);
        vm.prank(GUARDIAN);
        vm.expectRevert(Distributor.NoRootPending.selector);
        distributor.dispute(LIQUID, 1);
    }

    function refuse(uint64 epoch, uint256 total, bytes memory why) private {
        vm.prank(PUBLISHER);
        vm.expectRevert(why);
        distributor.propose(LIQUID, epoch, "root", total);
    }

    function test_roots_come_in_order_and_within_what_was_funded() public {
        vm.expectRevert(Distributor.NotThePublisher.selector);
        distributor.propose(LIQUID, 1, "root", 1);
        refuse(2, 1, abi.encodeWithSelector(Distributor.WrongEpoch.selector, 1, 2));
        refuse(1, 100_001, abi.encodeWithSelector(Distributor.NotFunded.selector, 100_001, 100_000));
        inEffect(LIQUID, 1, 10, 20, 30);
        refuse(1, 60, abi.encodeWithSelector(Distributor.WrongEpoch.selector, 2, 1));
        refuse(2, 59, abi.encodeWithSelector(Distributor.TotalFell.selector, 60, 59));
        bytes32[] memory nodes = leaves(LIQUID, 10, 20, 30);
        propose(LIQUID, 2, nodes, 60);
        refuse(
            3,
            60,
            abi.encodeWithSelector(Distributor.RootPending.selector, block.timestamp + 3 days)
        );
    }

    function test_a_false_total_pays_no_more_than_it_says() public {
        bytes32[] memory nodes = leaves(LIQUID, 10, 20, 30);
        propose(LIQUID, 1, nodes, 30);
        vm.warp(block.timestamp + 3 days);
        claim(LIQUID, 1, 10, nodes);
        claim(LIQUID, 2, 20, nodes);
        vm.expectRevert(Distributor.TotalExceeded.selector);
        this.outerClaim(LIQUID, 3, 30, nodes);
    }

    function test_only_what_no_root_counts_on_is_taken_back() public {
        bytes32[] memory nodes = leaves(LIQUID, 10, 20, 30);
        propose(LIQUID, 1, nodes, 60);
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this))
        );
        distributor.defund(LIQUID, 1, address(this));
        vm.startPrank(ADMINISTRATOR);
        vm.expectRevert(abi.encodeWithSelector(Distributor.Committed.selector, 99_940));
        distributor.defund(LIQUID, 99_941, address(8));
        distributor.defund(LIQUID, 99_940, address(8));
        vm.stopPrank();
        vm.assertEq(token.balanceOf(address(8)), 99_940);
        vm.warp(block.timestamp + 3 days);
        claim(LIQUID, 3, 30, nodes);
    }

    function test_checkers_are_paid_in_what_is_backed_and_stays() public {
        bytes32[] memory nodes = inEffect(VESTED, 1, 10, 20, 30);
        claim(VESTED, 1, 10, nodes);
        vm.assertEq(vested.balanceOf(address(1)), 10);
        vm.assertEq(token.balanceOf(address(vested)), 10);
        vm.prank(address(1));
        vm.expectRevert(VestedToken.NotTransferable.selector);
        vested.transfer(address(2), 1);
        vm.expectRevert(VestedToken.NotThePool.selector);
        vested.mint(address(this), 1);
        vm.expectRevert(Distributor.NotTheVestedToken.selector);
        distributor.forfeit(1);
    }

    function earn(uint256 amount) private {
        claim(VESTED, 1, amount, inEffect(VESTED, 1, amount, 1, 1));
    }

    function test_ten_thousand_give_a_quarter_a_half_or_all() public {
        earn(30_000);
        uint256[3] memory payouts = [uint256(2500), 5000, 10_000];
        uint256[3] memory times = [uint256(30 days), 90 days, 180 days];
        uint256 start = block.timestamp;
        vm.startPrank(address(1));
        for (uint256 i = 0; i < 3; i++) {
            vm.assertEq(vested.convert(10_000, VestedToken.Period(i)), i);
            vm.assertEq(vested.grantOf(i).amount, payouts[i]);
        }
        vm.stopPrank();
        vm.assertEq(distributor.potOf(VESTED).funded, 100_000 + 7500 + 5000);
        for (uint256 i = 0; i < 3; i++) {
            vm.warp(start + times[i] - 1);
            vm.assertEq(vested.releasable(i), payouts[i] - 1);
            vm.warp(start + times[i]);
            vested.release(i);
        }
        vm.assertEq(token.balanceOf(address(1)), 17_500);
        vm.assertEq(token.balanceOf(address(vested)), 0);
        vm.expectRevert(abi.encodeWithSelector(Vesting.NothingToRelease.selector, 0));
        vested.release(0);
    }

    function test_too_little_is_not_converted() public {
        earn(10);
        vm.prank(address(1));
        vm.expectRevert(VestedToken.TooLittle.selector);
        vested.convert(3, VestedToken.Period.Days30);
        vm.prank(address(1));
        vm.expectRevert();
        vested.convert(11, VestedToken.Period.Days180);
    }

    function testFuzz_conversion_loses_no_unit(uint256 amount, uint8 period, uint256 after_)
        public
    {
        amount = bound(amount, 4, 90_000);
        earn(amount);
        vm.prank(address(1));
        vested.convert(amount, VestedToken.Period(period % 3));
        uint256 payout = vested.grantOf(0).amount;
        vm.assertEq(distributor.potOf(VESTED).funded, 100_000 + amount - payout);
        vm.assertEq(token.balanceOf(address(vested)), payout);
        vm.warp(block.timestamp + bound(after_, 1, 200 days));
        if (vested.releasable(0) != 0) vested.release(0);
        vm.warp(block.timestamp + 180 days);
        if (vested.releasable(0) != 0) vested.release(0);
        vm.assertEq(token.balanceOf(address(1)), payout);
        vm.assertEq(vested.totalGranted(), 0);
    }

    function test_a_grant_waits_for_its_cliff() public {
        uint64 start = uint64(block.timestamp);
        distributor.grant(address(5), 1000, start, 10 days, 40 days);
        vm.warp(start + 10 days - 1);
        vm.expectRevert(abi.encodeWithSelector(Vesting.NothingToRelease.selector, 0));
        distributor.release(0);
        vm.warp(start + 10 days);
        vm.assertEq(distributor.release(0), 250);
        vm.warp(start + 99 days);
        vm.assertEq(distributor.release(0), 750);
        vm.assertEq(token.balanceOf(address(5)), 1000);
    }

    function test_senseless_grants_are_refused() public {
        vm.expectRevert(Vesting.BadGrant.selector);
        distributor.grant(address(0), 1, 0, 0, 1);
        vm.expectRevert(Vesting.BadGrant.selector);
        distributor.grant(address(1), 0, 0, 0, 1);
        vm.expectRevert(Vesting.BadGrant.selector);
        distributor.grant(address(1), 1, 0, 0, 0);
        vm.expectRevert(Vesting.BadGrant.selector);
        distributor.grant(address(1), 1, 0, 2, 1);
    }

    function test_only_the_administrator_names_roles() public {
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this))
        );
        distributor.setRoles(address(1), address(1));
        vm.prank(ADMINISTRATOR);
        distributor.setRoles(address(this), GUARDIAN);
        distributor.propose(LIQUID, 1, "root", 1);
    }
}
