// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @title A stablecoin for chains of one's own, of no value
/// @notice Six digits as USDT has; anyone takes as much as they want.
contract Dollar is ERC20 {
    constructor() ERC20("Demonstration dollar", "DUSD") {}

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }
}
