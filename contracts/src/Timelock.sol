// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title The network's administrator
/// @notice OpenZeppelin's, without an administrator of its own: every change waits for the delay, in public,
/// and the delay and the roles are changed in the same way.
contract Timelock is TimelockController {
    constructor(uint256 delay, address[] memory proposers, address[] memory executors)
        TimelockController(delay, proposers, executors, address(0))
    {}
}
