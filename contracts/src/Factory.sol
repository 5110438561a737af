// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Create2} from "@openzeppelin/contracts/utils/Create2.sol";

/// @title Puts a contract where its code and arguments say, once
/// @notice Whoever calls it, and however often: the same creation code ends at the same address.
contract Factory {
    event Deployed(address indexed at, bytes32 indexed codeHash);

    /// @param code creation code with the constructor's arguments
    function deploy(bytes calldata code) external returns (address at) {
        bytes32 hash = keccak256(code);
        at = Create2.computeAddress(0, hash);
        if (at.code.length != 0) return at;
        at = Create2.deploy(0, 0, code);
        emit Deployed(at, hash);
    }
}
