// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Pool, VestedToken} from "./VestedToken.sol";
import {Vesting} from "./Vesting.sol";

/// @title Rewards of epochs, and grants
/// @notice A root names, for each account, all that it ever earned; a claim pays what was not paid before. A
/// root takes effect after a delay, in which the guardian may withdraw it, and never pays more than was funded.
contract Distributor is Ownable, Vesting, Pool {
    using SafeERC20 for IERC20;

    enum Kind {
        Liquid, // paid in KAI: providers, bonuses
        Vested // paid in vKAI: checkers
    }

    struct Root {
        bytes32 root;
        uint256 total; // of all leaves
        uint64 epoch;
        uint64 effectiveAt; // in seconds; 0: there is no such root
    }

    struct Pot {
        uint256 funded; // ever, less what was taken back
        uint256 claimed; // ever
        Root active;
        Root pending;
    }

    VestedToken public immutable vested;
    /// @notice How long after its proposal a root takes effect, in seconds.
    uint64 public immutable delay;
    address public publisher;
    address public guardian;
    mapping(Kind => Pot) private _pots;
    mapping(Kind => mapping(address account => uint256)) public claimed;

    event Funded(Kind indexed kind, address indexed from, uint256 amount);
    event Defunded(Kind indexed kind, address indexed to, uint256 amount);
    event RootProposed(
        Kind indexed kind, uint64 indexed epoch, bytes32 root, uint256 total, uint64 effectiveAt
    );
    event RootWithdrawn(Kind indexed kind, uint64 indexed epoch, bytes32 root);
    event RootActive(Kind indexed kind, uint64 indexed epoch, bytes32 root);
    event Claimed(Kind indexed kind, address indexed account, uint256 amount, uint256 cumulative);
    event RolesChanged(address publisher, address guardian);

    error NotThePublisher();
    error NotTheGuardian();
    error NotTheVestedToken();
    error WrongEpoch(uint64 expected, uint64 given);
    error RootPending(uint64 effectiveAt);
    error NoRootPending();
    error TotalFell(uint256 before, uint256 given);
    error NotFunded(uint256 total, uint256 funded);
    error Committed(uint256 free);
    error WrongProof();
    error NothingToClaim();
    error TotalExceeded();

    /// @dev Makes vKAI, so that no other can ever make any.
    constructor(
        address administrator,
        IERC20 token_,
        address publisher_,
        address guardian_,
        uint64 delay_
    ) Ownable(administrator) Vesting(token_) {
        vested = new VestedToken(token_, address(this));
        delay = delay_;
        _setRoles(publisher_, guardian_);
        token_.forceApprove(address(vested), type(uint256).max);
    }

    /// @notice Adds the sender's KAI to a pot.
    function fund(Kind kind, uint256 amount) external {
        _pots[kind].funded += amount;
        emit Funded(kind, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Takes back what no root counts on.
    function defund(Kind kind, uint256 amount, address to) external onlyOwner {
        Pot storage pot = _pots[kind];
        uint256 total = pot.pending.effectiveAt != 0 ? pot.pending.total : pot.active.total;
        if (amount > pot.funded - total) revert Committed(pot.funded - total);
        pot.funded -= amount;
        emit Defunded(kind, to, amount);
        token.safeTransfer(to, amount);
    }

    /// @notice What holders of vKAI gave up, back for the checkers of later epochs.
    function forfeit(uint256 amount) external {
        if (msg.sender != address(vested)) revert NotTheVestedToken();
        _pots[Kind.Vested].funded += amount;
        emit Funded(Kind.Vested, msg.sender, amount);
    }

    /// @notice Gives the sender's KAI to an account over time.
    function grant(address account, uint256 amount, uint64 start, uint64 cliff, uint64 duration)
        external
        returns (uint256 id)
    {
        id = _grant(account, amount, start, cliff, duration);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @notice Proposes the next epoch's root.
    /// @param epoch one more than the one in effect, so that none is proposed twice
    /// @param total the sum of all leaves; never less than before, and never more than was funded
    function propose(Kind kind, uint64 epoch, bytes32 root, uint256 total) external {
        if (msg.sender != publisher) revert NotThePublisher();
        activate(kind);
        Pot storage pot = _pots[kind];
        if (pot.pending.effectiveAt != 0) revert RootPending(pot.pending.effectiveAt);
        if (epoch != pot.active.epoch + 1) revert WrongEpoch(pot.active.epoch + 1, epoch);
        if (total < pot.active.total) revert TotalFell(pot.active.total, total);
        if (total > pot.funded) revert NotFunded(total, pot.funded);
        uint64 effectiveAt = uint64(block.timestamp) + delay;
        pot.pending = Root(root, total, epoch, effectiveAt);
        emit RootProposed(kind, epoch, root, total, effectiveAt);
    }

    /// @notice Withdraws a root that has not taken effect; the epoch is then proposed anew.
    function dispute(Kind kind, uint64 epoch) external {
        if (msg.sender != guardian && msg.sender != owner()) revert NotTheGuardian();
        activate(kind);
        Root memory pending = _pots[kind].pending;
        if (pending.effectiveAt == 0 || pending.epoch != epoch) revert NoRootPending();
        delete _pots[kind].pending;
        emit RootWithdrawn(kind, epoch, pending.root);
    }

    /// @notice Puts a root whose delay has passed into effect; claims do it by themselves.
    function activate(Kind kind) public {
        Pot storage pot = _pots[kind];
        Root memory pending = pot.pending;
        if (pending.effectiveAt == 0 || block.timestamp < pending.effectiveAt) return;
        pot.active = pending;
        delete pot.pending;
        emit RootActive(kind, pending.epoch, pending.root);
    }

    /// @notice Pays an account what the root in effect names and was not paid yet; anyone may call it.
    /// @param cumulative all that the account ever earned of this kind, as its leaf says
    function claim(Kind kind, address account, uint256 cumulative, bytes32[] calldata proof)
        external
        returns (uint256 amount)
    {
        activate(kind);
        Pot storage pot = _pots[kind];
        bytes32 node = leaf(kind, account, cumulative);
        if (!MerkleProof.verifyCalldata(proof, pot.active.root, node)) revert WrongProof();
        uint256 before = claimed[kind][account];
        if (cumulative <= before) revert NothingToClaim();
        amount = cumulative - before;
        if (pot.claimed + amount > pot.active.total) revert TotalExceeded();
        claimed[kind][account] = cumulative;
        pot.claimed += amount;
        emit Claimed(kind, account, amount, cumulative);
        if (kind == Kind.Vested) vested.mint(account, amount);
        else token.safeTransfer(account, amount);
    }

    /// @notice Names who proposes roots and who may withdraw them.
    function setRoles(address publisher_, address guardian_) external onlyOwner {
        _setRoles(publisher_, guardian_);
    }

    function potOf(Kind kind) external view returns (Pot memory) {
        return _pots[kind];
    }

    /// @notice A tree's leaf, hashed twice so that no inner node passes for one.
    function leaf(Kind kind, address account, uint256 cumulative) public view returns (bytes32) {
        return keccak256(
            bytes.concat(
                keccak256(abi.encode(block.chainid, address(this), kind, account, cumulative))
            )
        );
    }

    function _setRoles(address publisher_, address guardian_) private {
        publisher = publisher_;
        guardian = guardian_;
        emit RolesChanged(publisher_, guardian_);
    }
}
