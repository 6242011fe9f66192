# SPDX-License-Identifier: GPL-3.0-or-later
"""The ciphers, hashes and codecs of the format, from shared libraries through ctypes."""

import ctypes
import sys


def load(name):
    """Loads a shared library or says which one is missing."""
    try:
        return ctypes.CDLL(name)
    except OSError:
        sys.exit(f"read_v1: the shared library {name} is missing")


SODIUM, CRYPTO = load("libsodium.so.23"), load("libcrypto.so.3")
ZSTD, XXHASH = load("libzstd.so.1"), load("libxxhash.so.0")

BYTES, POINTER, INT = ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int
SIZE, LONG = ctypes.c_size_t, ctypes.c_ulonglong


def declare(library, result, name, *arguments):
    """States the types of a C function."""
    function = getattr(library, name)
    function.restype, function.argtypes = result, arguments
    return function


# ---------------------------------------------------------------- libsodium

SODIUM.sodium_init()
_xchacha = declare(SODIUM, INT, "crypto_aead_xchacha20poly1305_ietf_decrypt", POINTER, POINTER,
                   POINTER, BYTES, LONG, BYTES, LONG, BYTES, BYTES)
_verify = declare(SODIUM, INT, "crypto_sign_verify_detached", BYTES, BYTES, LONG, BYTES)
_sign_pair = declare(SODIUM, INT, "crypto_sign_seed_keypair", POINTER, POINTER, BYTES)
_box_pair = declare(SODIUM, INT, "crypto_box_seed_keypair", POINTER, POINTER, BYTES)
_pwhash = declare(SODIUM, INT, "crypto_pwhash", POINTER, LONG, BYTES, LONG, BYTES, LONG, SIZE, INT)
_shorthash = declare(SODIUM, INT, "crypto_shorthash", POINTER, BYTES, LONG, BYTES)


def open_xchacha(key, nonce, authenticated, sealed):
    """XChaCha20-Poly1305-IETF: the plaintext, or None if the tag does not fit."""
    out = ctypes.create_string_buffer(len(sealed))
    failed = _xchacha(out, None, None, sealed, len(sealed), authenticated, len(authenticated),
                      nonce, key)
    return None if failed else out.raw[:len(sealed) - 16]


def verify_ed25519(public_key, message, signature):
    return _verify(signature, message, len(message), public_key) == 0


def _public_half(make, seed):
    public, private = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
    make(public, private, seed)
    return public.raw


def ed25519_public(seed):
    return _public_half(_sign_pair, seed)


def x25519_public(seed):
    return _public_half(_box_pair, seed)


def argon2id(password, salt, passes, kib):
    """Argon2id version 1.3, one lane: 32 bytes, or None if there is not enough memory."""
    out = ctypes.create_string_buffer(32)
    failed = _pwhash(out, 32, password, len(password), salt, passes, kib * 1024, 2)
    return None if failed else out.raw


def siphash(key, data):
    """SipHash-2-4 with 8 bytes of output."""
    out = ctypes.create_string_buffer(8)
    _shorthash(out, data, len(data), key)
    return out.raw


# ---------------------------------------------------------------- OpenSSL

_new_cipher = declare(CRYPTO, POINTER, "EVP_CIPHER_CTX_new")
_free_cipher = declare(CRYPTO, None, "EVP_CIPHER_CTX_free", POINTER)
_init = declare(CRYPTO, INT, "EVP_DecryptInit_ex", POINTER, POINTER, POINTER, BYTES, BYTES)
_update = declare(CRYPTO, INT, "EVP_DecryptUpdate", POINTER, POINTER, POINTER, BYTES, INT)
_final = declare(CRYPTO, INT, "EVP_DecryptFinal_ex", POINTER, POINTER, POINTER)
_control = declare(CRYPTO, INT, "EVP_CIPHER_CTX_ctrl", POINTER, INT, INT, BYTES)
_SET_TAG = 0x11  # EVP_CTRL_AEAD_SET_TAG

AES_256_GCM = declare(CRYPTO, POINTER, "EVP_aes_256_gcm")()
CHACHA20_POLY1305 = declare(CRYPTO, POINTER, "EVP_chacha20_poly1305")()


def open_aead(cipher, key, nonce, authenticated, text, tag):
    """The plaintext, or None if the tag does not fit."""
    out, size = ctypes.create_string_buffer(len(text) + 16), INT()
    context = _new_cipher()
    _init(context, cipher, None, key, nonce)
    _control(context, _SET_TAG, len(tag), tag)
    _update(context, None, ctypes.byref(size), authenticated, len(authenticated))
    _update(context, out, ctypes.byref(size), text, len(text))
    opened = _final(context, out, ctypes.byref(size)) == 1
    _free_cipher(context)
    return out.raw[:len(text)] if opened else None


# ---------------------------------------------------------------- zstd

_new_zstd = declare(ZSTD, POINTER, "ZSTD_createDCtx")
_free_zstd = declare(ZSTD, SIZE, "ZSTD_freeDCtx", POINTER)
_prefix = declare(ZSTD, SIZE, "ZSTD_DCtx_refPrefix", POINTER, BYTES, SIZE)
_decompress = declare(ZSTD, SIZE, "ZSTD_decompressDCtx", POINTER, POINTER, SIZE, BYTES, SIZE)
_content_size = declare(ZSTD, LONG, "ZSTD_getFrameContentSize", BYTES, SIZE)
_frame_size = declare(ZSTD, SIZE, "ZSTD_findFrameCompressedSize", BYTES, SIZE)


def is_one_frame(data, content_size):
    """Whether this is one frame, and it states that content size."""
    return _frame_size(data, len(data)) == len(data) and \
        _content_size(data, len(data)) == content_size


def decompress(frame, size, prefix):
    """The plaintext of this size, or None."""
    out, context = ctypes.create_string_buffer(max(size, 1)), _new_zstd()
    _prefix(context, prefix, len(prefix))
    got = _decompress(context, out, size, frame, len(frame))
    _free_zstd(context)
    return out.raw[:size] if got == size else None


# ---------------------------------------------------------------- xxHash

class Hash128(ctypes.Structure):
    """What libxxhash returns for 128 bits."""
    _fields_ = [("low", LONG), ("high", LONG)]


_xxh3_64 = declare(XXHASH, LONG, "XXH3_64bits", BYTES, SIZE)
_new_xxh3 = declare(XXHASH, POINTER, "XXH3_createState")
_free_xxh3 = declare(XXHASH, INT, "XXH3_freeState", POINTER)
_reset_xxh3 = declare(XXHASH, INT, "XXH3_128bits_reset", POINTER)
_update_xxh3 = declare(XXHASH, INT, "XXH3_128bits_update", POINTER, BYTES, SIZE)
_digest_xxh3 = declare(XXHASH, Hash128, "XXH3_128bits_digest", POINTER)


def xxh3_64(data):
    """XXH3-64, seed 0, as the format stores it: a little-endian u64."""
    return _xxh3_64(data, len(data)).to_bytes(8, "little")


class Xxh128:
    """XXH3-128, seed 0, fed in parts."""

    def __init__(self):
        self.state = _new_xxh3()
        _reset_xxh3(self.state)

    def update(self, data):
        _update_xxh3(self.state, data, len(data))

    def digest(self):
        """The canonical form: big-endian."""
        found = _digest_xxh3(self.state)
        return found.high.to_bytes(8, "big") + found.low.to_bytes(8, "big")

    def __del__(self):
        _free_xxh3(self.state)
