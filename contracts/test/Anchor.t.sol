// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./lib/Test.sol";
import {Anchor} from "../src/Anchor.sol";

contract AnchorTest is Test {
    Anchor private anchor;

    function setUp() public {
        anchor = new Anchor();
    }

    function record(uint64 sequence, bytes32 root) private {
        anchor.anchor(sequence, Anchor.Kind.Proofs, root, 7, bytes32(uint256(9)));
    }

    function testFuzz_heads_follow_from_the_events(bytes32[8] memory roots) public {
        bytes32 head;
        for (uint64 i = 0; i < roots.length; i++) {
            if (roots[i] == 0) roots[i] = bytes32(uint256(1));
            head = keccak256(
                abi.encode(
                    head, i + 1, Anchor.Kind.Proofs, roots[i], uint32(7), bytes32(uint256(9))
                )
            );
            vm.expectEmit(address(anchor));
            emit Anchor.Anchored(
                address(this), i + 1, Anchor.Kind.Proofs, roots[i], 7, bytes32(uint256(9)), head
            );
            record(i + 1, roots[i]);
        }
        Anchor.Latest memory latest = anchor.latest(address(this));
        vm.assertEq(latest.head, head);
        vm.assertEq(latest.sequence, roots.length);
        vm.assertEq(latest.at, block.timestamp);
        vm.assertTrue(latest.kind == Anchor.Kind.Proofs);
    }

    function test_a_replay_and_a_gap_are_refused() public {
        record(1, "a");
        vm.expectRevert(abi.encodeWithSelector(Anchor.WrongSequence.selector, 2, 1));
        record(1, "a");
        vm.expectRevert(abi.encodeWithSelector(Anchor.WrongSequence.selector, 2, 3));
        record(3, "c");
        record(2, "b");
    }

    function test_publishers_do_not_meet() public {
        record(1, "a");
        vm.prank(address(2));
        record(1, "b");
        vm.assertEq(anchor.latest(address(this)).sequence, 1);
        vm.assertEq(anchor.latest(address(2)).sequence, 1);
        vm.assertTrue(anchor.latest(address(this)).head != anchor.latest(address(2)).head);
    }

    function test_nothing_is_not_a_root() public {
        vm.expectRevert(Anchor.EmptyRoot.selector);
        record(1, 0);
        vm.expectRevert(Anchor.EmptyRoot.selector);
        anchor.anchor(1, Anchor.Kind.Usage, "a", 0, 0);
    }
}
