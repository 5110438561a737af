// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @title Merkle roots of the network's records, in the order in which they were published
/// @notice Each publisher has a chain of its own: a root is bound to all before it by `head`, and none can be
/// changed, left out or recorded twice. There is no administration: whose roots count is each reader's choice.
contract Anchor {
    enum Kind {
        Usage,
        Proofs,
        Audit,
        Payouts
    }

    struct Latest {
        uint64 sequence; // of the last root; 0 before the first
        uint64 at; // its block's time, in seconds
        Kind kind;
        bytes32 head;
    }

    mapping(address publisher => Latest) private _latest;

    /// @param leaves how many the tree has
    /// @param content the hash of the published leaves, by which anyone recognises them
    event Anchored(
        address indexed publisher,
        uint64 indexed sequence,
        Kind indexed kind,
        bytes32 root,
        uint32 leaves,
        bytes32 content,
        bytes32 head
    );

    error WrongSequence(uint64 expected, uint64 given);
    error EmptyRoot();

    /// @notice Records the sender's next root.
    /// @param sequence one more than the last: whatever was recorded already, or comes too early, is refused
    function anchor(uint64 sequence, Kind kind, bytes32 root, uint32 leaves, bytes32 content)
        external
    {
        Latest storage latest_ = _latest[msg.sender];
        uint64 expected = latest_.sequence + 1;
        if (sequence != expected) revert WrongSequence(expected, sequence);
        if (root == 0 || leaves == 0) revert EmptyRoot();
        bytes32 head = next(latest_.head, sequence, kind, root, leaves, content);
        latest_.sequence = sequence;
        latest_.at = uint64(block.timestamp);
        latest_.kind = kind;
        latest_.head = head;
        emit Anchored(msg.sender, sequence, kind, root, leaves, content, head);
    }

    /// @notice The publisher's last root's place and the head that binds all of them.
    function latest(address publisher) external view returns (Latest memory) {
        return _latest[publisher];
    }

    /// @notice The head after a root; a reader follows the events with it and ends at `latest(publisher).head`.
    function next(
        bytes32 head,
        uint64 sequence,
        Kind kind,
        bytes32 root,
        uint32 leaves,
        bytes32 content
    ) public pure returns (bytes32) {
        return keccak256(abi.encode(head, sequence, kind, root, leaves, content));
    }
}
