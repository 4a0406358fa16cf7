#include "passphrase.h"

#include <crypt.h>
#include <pwquality.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Where cracklib's words are, once they were made. */
#define DICTIONARY "/var/cache/cracklib/cracklib_dict.pwd"
/* Eight letters and a second kind of them, or a longer sentence: libpwquality counts a longer one as good. */
#define SHORTEST 10

char *passphrase_weakness(const char *passphrase)
{
    char said[PWQ_MAX_ERROR_MESSAGE_LEN];
    void *more = NULL;
    pwquality_settings_t *settings = pwquality_default_settings();
    if (!settings)
        return g_strdup("there is no memory to check it");
    pwquality_set_int_value(settings, PWQ_SETTING_MIN_LENGTH, SHORTEST);
    /* Without its words the check fails for every passphrase. */
    if (access(DICTIONARY, R_OK) < 0)
        pwquality_set_int_value(settings, PWQ_SETTING_DICT_CHECK, 0);
    int quality = pwquality_check(settings, passphrase, NULL, NULL, &more);
    pwquality_free_settings(settings);
    return quality >= 0 ? NULL : g_strdup(pwquality_strerror(said, sizeof(said), quality, more));
}

char *recovery_key_new(void)
{
    static const char letters[] = "cbdefghijklnrtuv";
    unsigned char bits[32];
    if (getrandom(bits, sizeof(bits), 0) != (ssize_t)sizeof(bits))
        return NULL;
    GString *key = g_string_new(NULL);
    for (guint i = 0; i < sizeof(bits); i++) {
        if (i && i % 4 == 0)
            g_string_append_c(key, '-');
        g_string_append_c(key, letters[bits[i] >> 4]);
        g_string_append_c(key, letters[bits[i] & 15]);
    }
    explicit_bzero(bits, sizeof(bits));
    return g_string_free(key, FALSE);
}

char *password_hash_new(const char *password)
{
    g_autofree struct crypt_data *data = g_new0(struct crypt_data, 1);
    char setting[CRYPT_GENSALT_OUTPUT_SIZE];
    if (!crypt_gensalt_rn(NULL, 0, NULL, 0, setting, sizeof(setting)))
        return NULL;
    const char *hash = crypt_r(password, setting, data);
    return !hash || *hash == '*' ? NULL : g_strdup(hash);
}

void secret_free(char *secret)
{
    if (secret)
        explicit_bzero(secret, strlen(secret));
    g_free(secret);
}
