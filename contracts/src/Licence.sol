// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC721} from "@openzeppelin/contracts/token/ERC721/ERC721.sol";
import {Registry} from "./Registry.sol";

/// @title The checker licence, and on which machine each one counts
/// @notice The owner proposes a machine, its operator accepts; the owner takes the licence back at any time.
contract Licence is ERC721 {
    struct Delegation {
        address machine; // address(0): none
        bool accepted;
    }

    uint256 public immutable cap;
    /// @notice How long after its making a licence cannot be transferred, in seconds.
    uint256 public immutable lock;
    /// @notice The only one who makes licences: the sale.
    address public immutable minter;
    Registry public immutable registry;

    /// @notice Licences are numbered from 1 on.
    uint256 public minted;
    mapping(uint256 id => uint256) public unlockedAt;
    /// @notice The licence that a mint id made; 0 if none.
    mapping(bytes32 mintId => uint256 id) public licenceOf;
    /// @notice How many licences count for a machine.
    mapping(address machine => uint256) public accepted;
    mapping(uint256 id => Delegation) private _delegations;

    event Minted(
        uint256 indexed id, address indexed to, bytes32 indexed mintId, uint256 unlockedAt
    );
    event Proposed(uint256 indexed id, address indexed owner, address indexed machine);
    event Accepted(uint256 indexed id, address indexed machine, address indexed operator);
    event Refused(uint256 indexed id, address indexed machine, address indexed operator);
    event Undelegated(uint256 indexed id, address indexed machine, bool accepted);

    error NotTheMinter();
    error SoldOut();
    error AlreadyMinted(bytes32 mintId, uint256 id);
    error Locked(uint256 id, uint256 until);
    error NotTheLicenceOwner(uint256 id);
    error NotAChecker(address machine);
    error NotTheOperator(address machine);
    error NotProposed(uint256 id, address machine);
    error NotDelegated(uint256 id);

    constructor(uint256 cap_, uint256 lock_, address minter_, Registry registry_)
        ERC721("Kaisar Checker Licence", "KCL")
    {
        cap = cap_;
        lock = lock_;
        minter = minter_;
        registry = registry_;
    }

    /// @notice Makes a licence, once for each mint id.
    function mint(address to, bytes32 mintId) external returns (uint256 id) {
        if (msg.sender != minter) revert NotTheMinter();
        if (licenceOf[mintId] != 0) revert AlreadyMinted(mintId, licenceOf[mintId]);
        if (minted == cap) revert SoldOut();
        id = ++minted;
        licenceOf[mintId] = id;
        unlockedAt[id] = block.timestamp + lock;
        emit Minted(id, to, mintId, unlockedAt[id]);
        _mint(to, id);
    }

    /// @notice Proposes that the licence count for a checker; any delegation before it ends.
    function delegate(uint256 id, address machine) external {
        if (_ownerOf(id) != msg.sender) revert NotTheLicenceOwner(id);
        if (registry.operatorOf(machine) == address(0)) revert NotAChecker(machine);
        _undelegate(id);
        _delegations[id].machine = machine;
        emit Proposed(id, msg.sender, machine);
    }

    /// @notice The operator's yes; naming the machine, so that it is never to something else than was seen.
    function accept(uint256 id, address machine) external {
        _proposedToSender(id, machine);
        _delegations[id].accepted = true;
        accepted[machine]++;
        emit Accepted(id, machine, msg.sender);
    }

    /// @notice The operator's no to what was proposed.
    function refuse(uint256 id, address machine) external {
        _proposedToSender(id, machine);
        delete _delegations[id];
        emit Refused(id, machine, msg.sender);
    }

    /// @notice The owner takes the licence back, whatever its state, and asks nobody.
    function undelegate(uint256 id) external {
        if (_ownerOf(id) != msg.sender) revert NotTheLicenceOwner(id);
        if (_delegations[id].machine == address(0)) revert NotDelegated(id);
        _undelegate(id);
    }

    function delegationOf(uint256 id) external view returns (Delegation memory) {
        return _delegations[id];
    }

    function _proposedToSender(uint256 id, address machine) private view {
        Delegation storage it = _delegations[id];
        if (it.machine != machine || machine == address(0) || it.accepted) {
            revert NotProposed(id, machine);
        }
        if (registry.operatorOf(machine) != msg.sender) revert NotTheOperator(machine);
    }

    function _undelegate(uint256 id) private {
        Delegation memory it = _delegations[id];
        if (it.machine == address(0)) return;
        if (it.accepted) accepted[it.machine]--;
        delete _delegations[id];
        emit Undelegated(id, it.machine, it.accepted);
    }

    /// @dev Every change of hands passes here.
    function _update(address to, uint256 id, address authorised)
        internal
        override
        returns (address from)
    {
        from = super._update(to, id, authorised);
        if (from == address(0)) return from;
        if (block.timestamp < unlockedAt[id]) revert Locked(id, unlockedAt[id]);
        _undelegate(id);
    }
}
