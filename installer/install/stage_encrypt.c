/*
 * LUKS2 around state and pool, by libcryptsetup. Both open with the passphrase and with the recovery key; the pool
 * opens with a key that lies in the state too, so that a person is asked once (stage "settings").
 */
#include "install.h"
#include "passphrase.h"
#include "trouble.h"

#include <libcryptsetup.h>
#include <string.h>
#include <unistd.h>

static void plan(struct install *install, GString *text)
{
    const char *file = install->answers->recovery_key_file;
    if (install->answers->encrypt)
        g_string_append_printf(text, "settings and guests are encrypted (LUKS2); a recovery key %s%s",
                               file ? "is written to " : "opens them too", file ? file : "");
    else
        g_string_append(text, "nothing is encrypted");
}

static gboolean check(int result, const char *path, const char *what, GError **error)
{
    return result >= 0 || trouble(error, "%s: %s: %s", path, what, g_strerror(-result));
}

static gboolean add_key(struct crypt_device *device, const char *path, const char *key, gsize length, GError **error)
{
    return check(crypt_keyslot_add_by_volume_key(device, CRYPT_ANY_SLOT, NULL, 0, key, length), path,
                 "a key cannot be added", error);
}

static void set_cost(struct crypt_device *device, guint iterations)
{
    struct crypt_pbkdf_type cost = {
        .type = CRYPT_KDF_PBKDF2,
        .hash = "sha256",
        .iterations = iterations,
        .flags = CRYPT_PBKDF_NO_BENCHMARK,
    };
    if (iterations)
        crypt_set_pbkdf_type(device, &cost);
}

static gboolean format(struct install *install, enum layout_role role, struct crypt_device *device, GError **error)
{
    const struct answers *answers = install->answers;
    const char *path = install->paths[role];
    struct crypt_params_luks2 parameters = {.sector_size = 4096, .label = layout_kinds[role].name};
    set_cost(device, install->iterations);
    if (!check(crypt_format(device, CRYPT_LUKS2, "aes", "xts-plain64", NULL, NULL, 64, &parameters), path,
               "it cannot be encrypted", error))
        return FALSE;
    if (answers->discard &&
        !check(crypt_persistent_flags_set(device, CRYPT_FLAGS_ACTIVATION, CRYPT_ACTIVATE_ALLOW_DISCARDS), path,
               "discards cannot be allowed", error))
        return FALSE;
    return add_key(device, path, answers->passphrase, strlen(answers->passphrase), error) &&
           add_key(device, path, install->recovery_key, strlen(install->recovery_key), error) &&
           (role != ROLE_POOL || add_key(device, path, install->pool_key, sizeof(install->pool_key), error));
}

/* Private: udev takes no look at it, or it would mount the pool. */
static gboolean open_device(struct install *install, enum layout_role role, struct crypt_device *device, GError **error)
{
    const struct answers *answers = install->answers;
    g_autofree char *name = g_strdup_printf(INSTALL_VOLUME, layout_kinds[role].name);
    if (!check(crypt_activate_by_passphrase(device, name, CRYPT_ANY_SLOT, answers->passphrase,
                                            strlen(answers->passphrase), CRYPT_ACTIVATE_PRIVATE),
               install->paths[role], "it cannot be opened again", error))
        return FALSE;
    g_free(install->devices[role]);
    install->devices[role] = g_strdup_printf("%s/%s", crypt_get_dir(), name);
    return TRUE;
}

static gboolean encrypt(struct install *install, enum layout_role role, GError **error)
{
    struct crypt_device *device = NULL;
    gboolean good =
        check(crypt_init(&device, install->paths[role]), install->paths[role], "it cannot be opened", error) &&
        format(install, role, device, error) && open_device(install, role, device, error);
    crypt_free(device);
    return good;
}

static gboolean perform(struct install *install, GError **error)
{
    if (!install->answers->encrypt)
        return TRUE;
    const char *given = install->answers->recovery_key;
    install->recovery_key = given ? g_strdup(given) : recovery_key_new();
    if (!install->recovery_key || getentropy(install->pool_key, sizeof(install->pool_key)) < 0)
        return trouble_errno(error, "The kernel gives no random numbers");
    return encrypt(install, ROLE_STATE, error) && install_step(install, 500, error) &&
           encrypt(install, ROLE_POOL, error);
}

const struct stage stage_encrypt = {
    .name = "encrypt",
    .title = "Encrypt settings and guests",
    .plan = plan,
    .perform = perform,
};
