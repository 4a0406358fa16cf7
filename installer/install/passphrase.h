/* Passphrases that people choose, and the recovery key that the machine makes. */
#ifndef INSTALL_PASSPHRASE_H
#define INSTALL_PASSPHRASE_H

#include <glib.h>

/* Why it is too weak to protect a disk, as half a sentence to be freed; NULL: it is not. By libpwquality. */
char *passphrase_weakness(const char *passphrase);

/* 256 random bits in letters that stand at the same keys of most keyboards, in eight groups; to be freed. NULL: no
 * randomness was to be had. */
char *recovery_key_new(void);

/* The password as of crypt(5), with this machine's preferred method; to be freed. NULL: it could not be made. */
char *password_hash_new(const char *password);

/* Overwrites a secret and frees it; NULL is allowed. */
void secret_free(char *secret);

#endif
