// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {PullPayments} from "./PullPayments.sol";

/// @title Tenants' money, and what of it became providers'
/// @notice The network's ledger knows what each second cost; here its settler says, by sums that only grow, what
/// a tenant has paid a provider. It can move only what tenants deposited, only so much a day, and a tenant leaves
/// without it.
contract Escrow is Ownable, PullPayments {
    struct Terms {
        bool accepted; // for new deposits; what is here stays settled and withdrawn
        uint256 dailyLimit; // what the settler may move in one day (UTC)
    }

    struct Settled {
        uint256 charged; // the tenant, ever
        uint256 fee; // of it the treasury's, ever
    }

    struct Settlement {
        address tenant;
        address provider;
        uint256 charged; // ever, by this provider
        uint256 fee; // ever, of it
    }

    uint256 private constant WHOLE = 10_000;

    address public immutable treasury;
    /// @notice How long after asking a tenant leaves with what is unsettled, in seconds.
    uint64 public immutable exitDelay;
    /// @notice The fee's limit, in 1/10000 of what is charged.
    uint16 public immutable maximumFee;
    /// @notice Who reports what the ledger says; address(0): nobody.
    address public settler;
    /// @notice Who may stop the settler at once, and nothing else.
    address public guardian;

    mapping(address token => Terms) public terms;
    /// @notice What a tenant deposited and has neither spent nor got back.
    mapping(address token => mapping(address tenant => uint256)) public balance;
    mapping(address token => uint256) public totalBalance;
    /// @notice All that was ever deposited for a tenant.
    mapping(address token => mapping(address tenant => uint256)) public deposited;
    /// @notice All that the network ever gave back to a tenant who asked for it.
    mapping(address token => mapping(address tenant => uint256)) public returned;
    /// @notice From when on a tenant may leave, in seconds; 0: did not ask.
    mapping(address token => mapping(address tenant => uint64)) public exitAt;
    mapping(address token => mapping(address tenant => mapping(address provider => Settled))) public
        settled;
    mapping(address token => mapping(uint256 day => uint256)) public moved;

    event TermsChanged(address indexed token, bool accepted, uint256 dailyLimit);
    event RolesChanged(address settler, address guardian);
    /// @param total all that was ever deposited for the tenant, this included
    event Deposited(
        address indexed token,
        address indexed tenant,
        address indexed payer,
        uint256 amount,
        uint256 total
    );
    event Charged(
        address indexed token,
        address indexed tenant,
        address indexed provider,
        uint256 amount,
        uint256 fee,
        uint256 total
    );
    /// @dev The tenant has not so much; the sum may be reported again.
    event Unpaid(
        address indexed token, address indexed tenant, address indexed provider, uint256 amount
    );
    event Returned(address indexed token, address indexed tenant, uint256 amount, uint256 total);
    event ExitRequested(address indexed token, address indexed tenant, uint64 at);
    event ExitCancelled(address indexed token, address indexed tenant);
    event Exited(address indexed token, address indexed tenant, uint256 amount);

    error NotTheSettler();
    error NotTheGuardian();
    error NotAccepted(address token);
    error NothingDeposited();
    error Leaving(uint64 at);
    error NotLeaving();
    error TooEarly(uint64 at);
    error MoreThanDeposited(address tenant, uint256 amount, uint256 balance);
    error FeeTooHigh(address tenant, address provider);
    error FeeFell(address tenant, address provider);
    error DailyLimit(uint256 limit, uint256 asked);

    constructor(
        address administrator,
        address treasury_,
        address settler_,
        address guardian_,
        uint64 exitDelay_,
        uint16 maximumFee_,
        address[] memory tokens,
        uint256[] memory dailyLimits
    ) Ownable(administrator) {
        treasury = treasury_;
        exitDelay = exitDelay_;
        maximumFee = maximumFee_;
        _setRoles(settler_, guardian_);
        for (uint256 i = 0; i < tokens.length; i++) {
            _setTerms(tokens[i], true, dailyLimits[i]);
        }
    }

    /// @notice Deposits the sender's tokens for a tenant.
    function deposit(address token, address tenant, uint256 amount) external nonReentrant {
        if (!terms[token].accepted) revert NotAccepted(token);
        if (amount == 0) revert NothingDeposited();
        if (exitAt[token][tenant] != 0) revert Leaving(exitAt[token][tenant]);
        _take(token, amount);
        balance[token][tenant] += amount;
        totalBalance[token] += amount;
        deposited[token][tenant] += amount;
        emit Deposited(token, tenant, msg.sender, amount, deposited[token][tenant]);
    }

    /// @notice Moves what tenants newly owe to providers and the treasury. A sum that is not above the last one
    /// pays nothing, so the same report may come twice; nor does one of a tenant who may already leave or has
    /// less, so that no tenant holds the others' up.
    function settle(address token, Settlement[] calldata items) external {
        if (msg.sender != settler) revert NotTheSettler();
        uint256 sum = 0;
        for (uint256 i = 0; i < items.length; i++) {
            if (!_mayLeave(token, items[i].tenant)) sum += _settle(token, items[i]);
        }
        _count(token, sum);
    }

    /// @notice Gives back what a tenant does not use and asked the network for; a sum that only grows, too.
    function giveBack(address token, address tenant, uint256 total) external {
        if (msg.sender != settler) revert NotTheSettler();
        uint256 before = returned[token][tenant];
        if (total <= before) return;
        uint256 amount = total - before;
        _debit(token, tenant, amount);
        returned[token][tenant] = total;
        emit Returned(token, tenant, amount, total);
        _owe(token, tenant, amount);
    }

    /// @notice Asks to leave with all that will be unsettled after the delay; needs nobody's consent.
    function requestExit(address token) external {
        if (exitAt[token][msg.sender] != 0) revert Leaving(exitAt[token][msg.sender]);
        if (balance[token][msg.sender] == 0) revert NothingDeposited();
        exitAt[token][msg.sender] = uint64(block.timestamp) + exitDelay;
        emit ExitRequested(token, msg.sender, exitAt[token][msg.sender]);
    }

    /// @notice Stays after all.
    function cancelExit(address token) external {
        if (exitAt[token][msg.sender] == 0) revert NotLeaving();
        delete exitAt[token][msg.sender];
        emit ExitCancelled(token, msg.sender);
    }

    /// @notice Leaves: what is unsettled is owed to the sender, who then withdraws it.
    function exit(address token) external {
        uint64 at = exitAt[token][msg.sender];
        if (at == 0) revert NotLeaving();
        if (block.timestamp < at) revert TooEarly(at);
        delete exitAt[token][msg.sender];
        uint256 amount = balance[token][msg.sender];
        _debit(token, msg.sender, amount);
        emit Exited(token, msg.sender, amount);
        _owe(token, msg.sender, amount);
    }

    /// @notice Says which token is taken, and how much of it the settler may move in a day.
    function setTerms(address token, bool accepted, uint256 dailyLimit) external onlyOwner {
        _setTerms(token, accepted, dailyLimit);
    }

    function setRoles(address settler_, address guardian_) external onlyOwner {
        _setRoles(settler_, guardian_);
    }

    /// @notice Stops a settler whose key is no longer safe.
    function stopSettler() external {
        if (msg.sender != guardian) revert NotTheGuardian();
        _setRoles(address(0), guardian);
    }

    function _settle(address token, Settlement calldata item) private returns (uint256 amount) {
        Settled storage it = settled[token][item.tenant][item.provider];
        if (item.charged <= it.charged) return 0;
        if (item.fee < it.fee) revert FeeFell(item.tenant, item.provider);
        if (item.fee * WHOLE > item.charged * maximumFee) {
            revert FeeTooHigh(item.tenant, item.provider);
        }
        amount = item.charged - it.charged;
        uint256 fee = item.fee - it.fee;
        if (fee > amount) revert FeeTooHigh(item.tenant, item.provider);
        if (amount > balance[token][item.tenant]) {
            emit Unpaid(token, item.tenant, item.provider, amount);
            return 0;
        }
        _debit(token, item.tenant, amount);
        it.charged = item.charged;
        it.fee = item.fee;
        emit Charged(token, item.tenant, item.provider, amount, fee, item.charged);
        _owe(token, item.provider, amount - fee);
        _owe(token, treasury, fee);
    }

    function _debit(address token, address tenant, uint256 amount) private {
        uint256 has = balance[token][tenant];
        if (amount > has) revert MoreThanDeposited(tenant, amount, has);
        balance[token][tenant] = has - amount;
        totalBalance[token] -= amount;
    }

    function _count(address token, uint256 amount) private {
        uint256 day = block.timestamp / 1 days;
        uint256 sum = moved[token][day] + amount;
        if (sum > terms[token].dailyLimit) revert DailyLimit(terms[token].dailyLimit, sum);
        moved[token][day] = sum;
    }

    function _mayLeave(address token, address tenant) private view returns (bool) {
        uint64 at = exitAt[token][tenant];
        return at != 0 && block.timestamp >= at;
    }

    function _setTerms(address token, bool accepted, uint256 dailyLimit) private {
        if (token == address(0)) revert NotAccepted(token);
        terms[token] = Terms(accepted, dailyLimit);
        emit TermsChanged(token, accepted, dailyLimit);
    }

    function _setRoles(address settler_, address guardian_) private {
        settler = settler_;
        guardian = guardian_;
        emit RolesChanged(settler_, guardian_);
    }
}
