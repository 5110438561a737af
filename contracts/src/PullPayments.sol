// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";

/// @title What a contract owes to whom, until they fetch it
/// @notice Nothing is ever sent to anyone in the course of another's transaction. A token of address(0) is the
/// chain's own coin.
abstract contract PullPayments is ReentrancyGuard {
    using SafeERC20 for IERC20;

    mapping(address token => mapping(address account => uint256)) public owed;
    mapping(address token => uint256) public totalOwed;

    event Owed(address indexed token, address indexed account, uint256 amount);
    event Withdrawn(address indexed token, address indexed account, address to, uint256 amount);

    error NothingOwed();
    /// @dev The token took a fee of its own, or sent nothing.
    error InexactTransfer(uint256 expected, uint256 received);

    /// @notice Pays out all that the sender is owed.
    /// @param to where to; another address when the sender's own cannot take the coin
    function withdraw(address token, address to) external nonReentrant returns (uint256 amount) {
        amount = owed[token][msg.sender];
        if (amount == 0) revert NothingOwed();
        owed[token][msg.sender] = 0;
        totalOwed[token] -= amount;
        emit Withdrawn(token, msg.sender, to, amount);
        _send(token, to, amount);
    }

    function _owe(address token, address account, uint256 amount) internal {
        if (amount == 0) return;
        owed[token][account] += amount;
        totalOwed[token] += amount;
        emit Owed(token, account, amount);
    }

    /// @dev Takes tokens from the sender; what arrives must be exactly what was asked for. Only for callers that
    /// are nonReentrant.
    function _take(address token, uint256 amount) internal {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert InexactTransfer(amount, received);
    }

    function _send(address token, address to, uint256 amount) internal {
        if (token == address(0)) Address.sendValue(payable(to), amount);
        else IERC20(token).safeTransfer(to, amount);
    }
}
