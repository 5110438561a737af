// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title KAI, the network's token
/// @notice The whole supply is made once, for the treasury; nobody can make more or take any away.
contract Token is ERC20Permit {
    /// @param supply in the smallest unit, 1e-18 KAI
    /// @param treasury who holds all of it first
    constructor(uint256 supply, address treasury) ERC20("Kaisar", "KAI") ERC20Permit("Kaisar") {
        _mint(treasury, supply);
    }
}
