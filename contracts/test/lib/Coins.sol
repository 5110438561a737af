// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {PullPayments} from "../../src/PullPayments.sol";

/// @notice Moves tokens as the first stablecoins do: returns nothing.
contract MuteCoin {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 amount) external {
        allowance[msg.sender][spender] = amount;
    }

    function transfer(address to, uint256 amount) external {
        balanceOf[msg.sender] -= amount;
        balanceOf[to] += amount;
    }

    function transferFrom(address from, address to, uint256 amount) external {
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
    }
}

/// @notice Keeps one unit of each transfer for itself.
contract GreedyCoin is ERC20 {
    constructor() ERC20("Greedy", "G") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (from != address(0) && amount != 0) super._update(to, address(this), 1);
    }
}

/// @notice Calls back into whoever it was told, in the middle of a transfer.
contract ReenteringCoin is ERC20 {
    address private target;
    bytes private call;
    bool public succeeded;

    constructor() ERC20("Reentering", "R") {}

    function mint(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function aim(address target_, bytes calldata call_) external {
        (target, call) = (target_, call_);
    }

    function _update(address from, address to, uint256 amount) internal override {
        super._update(from, to, amount);
        if (target == address(0) || from == address(0)) return;
        (bool ok,) = target.call(call);
        succeeded = succeeded || ok;
    }
}

/// @notice Asks for the same coin again while it is being paid.
contract ReenteringReceiver {
    PullPayments private immutable debtor;
    bool public again;

    constructor(PullPayments debtor_) {
        debtor = debtor_;
    }

    function fetch() external {
        debtor.withdraw(address(0), address(this));
    }

    function act(address to, uint256 value, bytes calldata data) external {
        (bool ok, bytes memory why) = to.call{value: value}(data);
        if (!ok) {
            assembly {
                revert(add(why, 32), mload(why))
            }
        }
    }

    receive() external payable {
        if (msg.sender != address(debtor)) return;
        try debtor.withdraw(address(0), address(this)) {
            again = true;
        } catch {}
    }
}
