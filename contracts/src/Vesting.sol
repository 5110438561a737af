// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// @title Tokens that become someone's over time
/// @notice A grant is final: nobody takes it back or changes it. It becomes free by the second, rounded down,
/// nothing before its cliff and all of it at its end.
abstract contract Vesting {
    using SafeERC20 for IERC20;

    struct Grant {
        address account;
        uint64 start; // in seconds
        uint64 cliff; // seconds after start before which nothing is free
        uint64 duration; // seconds after start when everything is
        uint256 amount;
        uint256 released;
    }

    IERC20 public immutable token;
    /// @notice All that grants still hold.
    uint256 public totalGranted;
    Grant[] private _grants;

    event Granted(
        uint256 indexed id,
        address indexed account,
        uint256 amount,
        uint64 start,
        uint64 cliff,
        uint64 duration
    );
    event Released(uint256 indexed id, address indexed account, uint256 amount);

    error BadGrant();
    error NothingToRelease(uint256 id);

    constructor(IERC20 token_) {
        token = token_;
    }

    /// @notice Pays what has become free to the grant's account; anyone may call it.
    function release(uint256 id) external returns (uint256 amount) {
        amount = releasable(id);
        if (amount == 0) revert NothingToRelease(id);
        Grant storage it = _grants[id];
        it.released += amount;
        totalGranted -= amount;
        emit Released(id, it.account, amount);
        token.safeTransfer(it.account, amount);
    }

    function grantCount() external view returns (uint256) {
        return _grants.length;
    }

    function grantOf(uint256 id) external view returns (Grant memory) {
        return _grants[id];
    }

    /// @notice What `release` would pay now.
    function releasable(uint256 id) public view returns (uint256) {
        Grant storage it = _grants[id];
        if (block.timestamp < uint256(it.start) + it.cliff) return 0;
        uint256 elapsed = block.timestamp - it.start;
        uint256 free = elapsed >= it.duration ? it.amount : it.amount * elapsed / it.duration;
        return free - it.released;
    }

    /// @dev The caller has seen to it that the tokens are here.
    function _grant(address account, uint256 amount, uint64 start, uint64 cliff, uint64 duration)
        internal
        returns (uint256 id)
    {
        if (account == address(0) || amount == 0 || amount > type(uint128).max) revert BadGrant();
        if (duration == 0 || cliff > duration) revert BadGrant();
        id = _grants.length;
        _grants.push(Grant(account, start, cliff, duration, amount, 0));
        totalGranted += amount;
        emit Granted(id, account, amount, start, cliff, duration);
    }
}
