// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {Licence} from "./Licence.sol";
import {PullPayments} from "./PullPayments.sol";
import {Registry} from "./Registry.sol";

/// @title The sale of checker licences, in rounds
/// @notice A buyer names the round, what at most a licence may cost, and perhaps who referred them. Referrers
/// and the treasury fetch their shares, buyers what they paid too much.
contract Sale is Ownable, PullPayments {
    struct Round {
        uint256 coinPrice; // of one licence in the chain's own coin; 0: not sold for coin
        uint256 tokenPrice; // in `payToken`; 0: not sold for it
        uint64 start; // in seconds, inclusive
        uint64 end; // exclusive
        uint32 cap; // licences
        uint32 sold;
        uint16 whitelistDiscount; // in 1/10000
        uint16 referralDiscount; // in 1/10000; the higher counts where both apply
        bytes32 whitelist; // root of `whitelistLeaf`s; 0: nobody is on it
    }

    struct Order {
        bytes32 key; // the buyer's own: a repeated order is refused, not bought twice
        uint256 round;
        uint32 quantity; // at most; at least one is bought, or nothing is
        address token; // address(0) is coin, otherwise `payToken`
        uint256 maximumPrice; // of one licence
        address referrer; // address(0): none
        bytes32[] whitelistProof; // empty: none
    }

    uint16 private constant WHOLE = 10_000;
    /// @notice A block has room for no more.
    uint32 public constant MAXIMUM_QUANTITY = 50;

    Licence public immutable licence;
    address public immutable payToken;
    address public immutable treasury;
    /// @notice The referrer's part of what the referred pay, in 1/10000.
    uint16 public immutable commission;

    Round[] private _rounds;
    mapping(address buyer => mapping(bytes32 key => bool)) public ordered;

    event RoundSet(uint256 indexed round, Round data);
    event Purchased(
        address indexed buyer,
        uint256 indexed round,
        address indexed referrer,
        bytes32 key,
        address token,
        uint32 quantity,
        uint256 price,
        uint256 commission
    );

    error UnknownRound(uint256 round);
    error RoundBegan(uint256 round);
    error BadRound();
    error BadQuantity();
    error NotOpen(uint256 round);
    error RoundSoldOut(uint256 round);
    error AlreadyOrdered(bytes32 key);
    error NotSoldFor(address token);
    error PriceTooHigh(uint256 price, uint256 maximum);
    error NotWhitelisted(address buyer);
    error SelfReferral();
    error ReferrerWithoutLicence(address referrer);
    error Underpaid(uint256 cost, uint256 given);

    /// @dev Makes the licence contract, so that no other can ever make licences.
    constructor(
        address administrator,
        address treasury_,
        address payToken_,
        Registry registry,
        uint256 cap,
        uint256 lock,
        uint16 commission_,
        Round[] memory rounds_
    ) Ownable(administrator) {
        if (commission_ > WHOLE) revert BadRound();
        licence = new Licence(cap, lock, address(this), registry);
        treasury = treasury_;
        payToken = payToken_;
        commission = commission_;
        for (uint256 i = 0; i < rounds_.length; i++) {
            _setRound(_rounds.length, rounds_[i]);
        }
    }

    /// @notice Buys up to `order.quantity` licences for the sender. Coin that was sent and not needed (too much,
    /// or the round sold out within the order) is owed back to the sender.
    /// @return bought how many
    function buy(Order calldata order) external payable nonReentrant returns (uint32 bought) {
        if (ordered[msg.sender][order.key]) revert AlreadyOrdered(order.key);
        ordered[msg.sender][order.key] = true;
        bought = _reserve(order.round, order.quantity);
        uint256 price = priceOf(order, msg.sender);
        if (price > order.maximumPrice) revert PriceTooHigh(price, order.maximumPrice);
        uint256 share = _charge(order, price * bought);
        emit Purchased(
            msg.sender, order.round, order.referrer, order.key, order.token, bought, price, share
        );
        for (uint32 i = 0; i < bought; i++) {
            licence.mint(msg.sender, keccak256(abi.encode(msg.sender, order.key, i)));
        }
    }

    /// @notice Adds a round, or changes one that has not begun.
    /// @param round `roundCount()` to add
    function setRound(uint256 round, Round calldata data) external onlyOwner {
        if (round < _rounds.length && block.timestamp >= _rounds[round].start) {
            revert RoundBegan(round);
        }
        _setRound(round, data);
    }

    /// @notice Ends a round early.
    function endRound(uint256 round) external onlyOwner {
        if (round >= _rounds.length) revert UnknownRound(round);
        if (_rounds[round].end > block.timestamp) _rounds[round].end = uint64(block.timestamp);
        emit RoundSet(round, _rounds[round]);
    }

    function roundCount() external view returns (uint256) {
        return _rounds.length;
    }

    function roundOf(uint256 round) external view returns (Round memory) {
        return _rounds[round];
    }

    /// @notice What one licence costs the buyer, in the order's token; refuses what would be refused.
    function priceOf(Order calldata order, address buyer) public view returns (uint256) {
        Round storage it = _rounds[order.round];
        if (order.token != address(0) && order.token != payToken) revert NotSoldFor(order.token);
        uint256 price = order.token == address(0) ? it.coinPrice : it.tokenPrice;
        if (price == 0) revert NotSoldFor(order.token);
        uint256 discount = 0;
        if (order.whitelistProof.length != 0 || it.whitelist == whitelistLeaf(order.round, buyer)) {
            bytes32 leaf = whitelistLeaf(order.round, buyer);
            if (!MerkleProof.verifyCalldata(order.whitelistProof, it.whitelist, leaf)) {
                revert NotWhitelisted(buyer);
            }
            discount = it.whitelistDiscount;
        }
        if (order.referrer != address(0)) {
            // Every time, not only where the pair is known: a first use is compared as well.
            if (order.referrer == buyer) revert SelfReferral();
            if (licence.balanceOf(order.referrer) == 0) {
                revert ReferrerWithoutLicence(order.referrer);
            }
            if (it.referralDiscount > discount) discount = it.referralDiscount;
        }
        return price - price * discount / WHOLE;
    }

    /// @notice A whitelist's leaf, hashed twice so that no inner node passes for one.
    function whitelistLeaf(uint256 round, address buyer) public view returns (bytes32) {
        return
            keccak256(
                bytes.concat(keccak256(abi.encode(block.chainid, address(this), round, buyer)))
            );
    }

    function _reserve(uint256 round, uint32 quantity) private returns (uint32 bought) {
        if (round >= _rounds.length) revert UnknownRound(round);
        if (quantity == 0 || quantity > MAXIMUM_QUANTITY) revert BadQuantity();
        Round storage it = _rounds[round];
        if (block.timestamp < it.start || block.timestamp >= it.end) revert NotOpen(round);
        uint256 left = licence.cap() - licence.minted();
        if (it.cap - it.sold < left) left = it.cap - it.sold;
        if (left == 0) revert RoundSoldOut(round);
        bought = left < quantity ? uint32(left) : quantity;
        it.sold += bought;
    }

    function _charge(Order calldata order, uint256 cost) private returns (uint256 share) {
        if (order.token == address(0)) {
            if (msg.value < cost) revert Underpaid(cost, msg.value);
            _owe(address(0), msg.sender, msg.value - cost);
        } else {
            if (msg.value != 0) revert NotSoldFor(address(0));
            _take(order.token, cost);
        }
        share = order.referrer == address(0) ? 0 : cost * commission / WHOLE;
        _owe(order.token, order.referrer, share);
        _owe(order.token, treasury, cost - share);
    }

    function _setRound(uint256 round, Round memory data) private {
        if (data.start >= data.end || data.cap == 0 || data.sold != 0) revert BadRound();
        if (data.whitelistDiscount >= WHOLE || data.referralDiscount >= WHOLE) revert BadRound();
        if (round > _rounds.length) revert UnknownRound(round);
        if (round == _rounds.length) _rounds.push(data);
        else _rounds[round] = data;
        emit RoundSet(round, data);
    }
}
