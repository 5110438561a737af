// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Vesting} from "./Vesting.sol";

/// @notice Where forfeited KAI goes: the pool that checkers are paid from.
interface Pool {
    function forfeit(uint256 amount) external;
}

/// @title vKAI, what checkers earn
/// @notice Each unit is backed by one of KAI that lies here. It cannot be transferred; its holder converts it
/// to KAI over 30, 90 or 180 days, which gives 25, 50 or 100 %. What is given up goes back to the pool at once.
contract VestedToken is ERC20, Vesting {
    using SafeERC20 for IERC20;

    enum Period {
        Days30,
        Days90,
        Days180
    }

    /// @notice The distributor: makes vKAI against KAI, and takes what is forfeited.
    address public immutable pool;

    event Converted(
        address indexed account,
        uint256 indexed grant,
        Period period,
        uint256 amount,
        uint256 payout
    );

    error NotThePool();
    error NotTransferable();
    error TooLittle();

    constructor(IERC20 token_, address pool_) ERC20("Kaisar vested", "vKAI") Vesting(token_) {
        pool = pool_;
    }

    /// @notice Makes vKAI for as much KAI, which the pool hands over.
    function mint(address account, uint256 amount) external {
        if (msg.sender != pool) revert NotThePool();
        _mint(account, amount);
        token.safeTransferFrom(pool, address(this), amount);
    }

    /// @notice Gives vKAI up for a grant of KAI that becomes free over the period.
    function convert(uint256 amount, Period period) external returns (uint256 grant) {
        (uint256 percent, uint64 duration) = termsOf(period);
        uint256 payout = amount * percent / 100;
        if (payout == 0) revert TooLittle();
        _burn(msg.sender, amount);
        grant = _grant(msg.sender, payout, uint64(block.timestamp), 0, duration);
        emit Converted(msg.sender, grant, period, amount, payout);
        if (payout == amount) return grant;
        token.safeTransfer(pool, amount - payout);
        Pool(pool).forfeit(amount - payout);
    }

    /// @notice What a period gives, and its length in seconds.
    function termsOf(Period period) public pure returns (uint256 percent, uint64 duration) {
        if (period == Period.Days30) return (25, 30 days);
        if (period == Period.Days90) return (50, 90 days);
        return (100, 180 days);
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (from != address(0) && to != address(0)) revert NotTransferable();
        super._update(from, to, amount);
    }
}
