// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./lib/Test.sol";
import {Token} from "../src/Token.sol";

contract TokenTest is Test {
    uint256 private constant SUPPLY = 1_000_000_000 ether;
    address private constant TREASURY = address(0x7E);
    uint256 private constant KEY = 0xA11CE;
    Token private token;

    function setUp() public {
        token = new Token(SUPPLY, TREASURY);
    }

    function test_everything_belongs_to_the_treasury_first() public view {
        vm.assertEq(token.totalSupply(), SUPPLY);
        vm.assertEq(token.balanceOf(TREASURY), SUPPLY);
    }

    function testFuzz_transfers_keep_the_supply(address to, uint256 amount) public {
        // To nobody the token refuses; to itself the sum below would count it twice.
        vm.assume(to != address(0) && to != TREASURY);
        amount = bound(amount, 0, SUPPLY);
        vm.prank(TREASURY);
        vm.assertTrue(token.transfer(to, amount));
        vm.assertEq(token.balanceOf(to) + token.balanceOf(TREASURY), SUPPLY);
        vm.assertEq(token.totalSupply(), SUPPLY);
    }

    function test_a_permit_allows_once() public {
        address owner = vm.addr(KEY);
        bytes32 inner = keccak256(
            abi.encode(
                keccak256(
                    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
                ),
                owner,
                address(this),
                5,
                0,
                block.timestamp
            )
        );
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), inner));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, digest);
        token.permit(owner, address(this), 5, block.timestamp, v, r, s);
        vm.assertEq(token.allowance(owner, address(this)), 5);
        vm.expectRevert();
        token.permit(owner, address(this), 5, block.timestamp, v, r, s);
    }
}
