// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {World} from "./lib/World.sol";
import {Licence} from "../src/Licence.sol";

contract LicenceTest is World {
    address private constant OWNER = address(0x0E);
    address private constant OPERATOR = address(0x09);
    address private machine;
    uint256 private id;

    function setUp() public override {
        super.setUp();
        id = buyOne(OWNER);
        machine = registerChecker(0xC1, OPERATOR);
    }

    function delegate() private {
        vm.prank(OWNER);
        licence.delegate(id, machine);
    }

    function accept() private {
        vm.prank(OPERATOR);
        licence.accept(id, machine);
    }

    function test_only_the_sale_makes_licences() public {
        vm.expectRevert(Licence.NotTheMinter.selector);
        licence.mint(address(this), "x");
        vm.assertEq(licence.minter(), address(sale));
    }

    function test_a_mint_id_makes_one_and_the_cap_holds() public {
        Licence own = new Licence(2, 1 days, address(this), registry);
        vm.assertEq(own.mint(OWNER, "a"), 1);
        vm.expectRevert(abi.encodeWithSelector(Licence.AlreadyMinted.selector, bytes32("a"), 1));
        own.mint(OWNER, "a");
        vm.assertEq(own.mint(OWNER, "b"), 2);
        vm.assertEq(own.licenceOf("b"), 2);
        vm.expectRevert(Licence.SoldOut.selector);
        own.mint(OWNER, "c");
    }

    function testFuzz_a_year_passes_before_a_transfer(uint256 after_) public {
        after_ = bound(after_, 0, 365 days - 1);
        vm.warp(NOW + after_);
        vm.startPrank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(Licence.Locked.selector, id, NOW + 365 days));
        licence.transferFrom(OWNER, address(5), id);
        vm.warp(NOW + 365 days);
        licence.transferFrom(OWNER, address(5), id);
        vm.assertEq(licence.ownerOf(id), address(5));
    }

    function test_a_transfer_undelegates() public {
        delegate();
        accept();
        vm.warp(NOW + 365 days);
        vm.prank(OWNER);
        licence.transferFrom(OWNER, address(5), id);
        vm.assertEq(licence.accepted(machine), 0);
        vm.assertEq(licence.delegationOf(id).machine, address(0));
    }

    function test_what_is_accepted_counts_until_taken_back() public {
        delegate();
        vm.assertEq(licence.accepted(machine), 0);
        accept();
        vm.assertEq(licence.accepted(machine), 1);
        vm.assertTrue(licence.delegationOf(id).accepted);
        vm.prank(OWNER);
        licence.undelegate(id);
        vm.assertEq(licence.accepted(machine), 0);
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotDelegated.selector, id));
        licence.undelegate(id);
    }

    function test_a_proposal_is_taken_back_without_the_operator() public {
        delegate();
        vm.prank(OWNER);
        licence.undelegate(id);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotProposed.selector, id, machine));
        accept();
    }

    function test_the_operator_refuses() public {
        delegate();
        vm.prank(OPERATOR);
        licence.refuse(id, machine);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotProposed.selector, id, machine));
        accept();
        delegate();
        accept();
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotProposed.selector, id, machine));
        licence.refuse(id, machine);
    }

    function test_a_new_proposal_ends_the_old_one() public {
        delegate();
        accept();
        address other = registerChecker(0xC2, address(0x10));
        vm.prank(OWNER);
        licence.delegate(id, other);
        vm.assertEq(licence.accepted(machine), 0);
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotTheOperator.selector, other));
        licence.accept(id, other);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotProposed.selector, id, machine));
        accept();
    }

    function test_it_counts_once_however_often_accepted() public {
        delegate();
        accept();
        vm.expectRevert(abi.encodeWithSelector(Licence.NotProposed.selector, id, machine));
        accept();
    }

    function test_strangers_decide_nothing() public {
        vm.expectRevert(abi.encodeWithSelector(Licence.NotTheLicenceOwner.selector, id));
        licence.delegate(id, machine);
        delegate();
        vm.expectRevert(abi.encodeWithSelector(Licence.NotTheOperator.selector, machine));
        licence.accept(id, machine);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotTheOperator.selector, machine));
        licence.refuse(id, machine);
        vm.prank(OPERATOR);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotTheLicenceOwner.selector, id));
        licence.undelegate(id);
    }

    function test_only_registered_checkers_are_delegated_to() public {
        vm.prank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotAChecker.selector, address(77)));
        licence.delegate(id, address(77));
        delegate();
        vm.prank(OPERATOR);
        registry.deregister(machine);
        vm.expectRevert(abi.encodeWithSelector(Licence.NotTheOperator.selector, machine));
        accept();
    }
}
