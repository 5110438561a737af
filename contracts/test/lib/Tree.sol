// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

/// @notice A small Merkle tree with sorted pairs; a last node without a partner moves up.
library Tree {
    function root(bytes32[] memory nodes) internal pure returns (bytes32) {
        while (nodes.length > 1) {
            nodes = level(nodes);
        }
        return nodes[0];
    }

    function proof(bytes32[] memory nodes, uint256 place)
        internal
        pure
        returns (bytes32[] memory path)
    {
        bytes32[] memory found = new bytes32[](32);
        uint256 length = 0;
        while (nodes.length > 1) {
            if (place ^ 1 < nodes.length) found[length++] = nodes[place ^ 1];
            nodes = level(nodes);
            place /= 2;
        }
        path = new bytes32[](length);
        for (uint256 i = 0; i < length; i++) {
            path[i] = found[i];
        }
    }

    function level(bytes32[] memory nodes) private pure returns (bytes32[] memory up) {
        up = new bytes32[]((nodes.length + 1) / 2);
        for (uint256 i = 0; i < up.length; i++) {
            if (2 * i + 1 == nodes.length) up[i] = nodes[2 * i];
            else up[i] = pair(nodes[2 * i], nodes[2 * i + 1]);
        }
    }

    function pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }
}
