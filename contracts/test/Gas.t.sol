// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./lib/Test.sol";
import {Anchor} from "../src/Anchor.sol";

/// @notice What the calls cost that the network makes often; .gas-snapshot holds the figures.
contract GasTest is Test {
    Anchor private anchor;

    function setUp() public {
        anchor = new Anchor();
        anchor.anchor(1, Anchor.Kind.Proofs, "a", 7, "b");
    }

    function test_anchor() public {
        anchor.anchor(2, Anchor.Kind.Proofs, "b", 7, "c");
    }
}
