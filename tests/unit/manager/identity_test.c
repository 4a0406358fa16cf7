/* A guest's identity: made once, by chance, kept, and another one for another guest or another machine. */
#include "directory.h"
#include "errors.h"
#include "guest_identity.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* In place of the C library's, which takes as long as the machine's disk is busy. */
int fsync(int fd)
{
    (void)fd;
    return 0;
}

static struct guest_config *named(struct directory *directory, const char *name, const char *more)
{
    g_autofree char *text = g_strdup_printf("[guest]\nslot=3\nkernel=/k\nname=%s\n%s", name, more);
    g_autofree char *path = write_file(directory, "a.conf", text);
    g_autoptr(GError) error = NULL;
    struct guest_config *config = guest_config_load(path, &error);
    g_assert_no_error(error);
    unlink(path);
    return config;
}

static struct guest_config *complete(struct directory *directory, const char *name, const char *more)
{
    g_autoptr(GError) error = NULL;
    struct guest_config *config = named(directory, name, more);
    guest_identity_complete(config, directory->path, &error);
    g_assert_no_error(error);
    return config;
}

/* TRUE: the fields are the same in both. Frees them. */
struct same {
    gboolean mac, uuid, generation;
};
static struct same compare(struct guest_config *a, struct guest_config *b)
{
    struct same same = {memcmp(a->mac, b->mac, sizeof(a->mac)) == 0, memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0,
                        memcmp(a->generation, b->generation, sizeof(a->generation)) == 0};
    guest_config_free(a);
    guest_config_free(b);
    return same;
}

static void test_kept(struct directory *directory, gconstpointer data)
{
    struct guest_config *first = complete(directory, "work", "");
    (void)data;
    /* Nobody's but this machine's, for one card; a version 4 UUID. */
    g_assert_cmpint(first->mac[0] & 3, ==, 2);
    g_assert_cmpint(first->uuid[6] >> 4, ==, 4);
    g_assert_cmpint(first->uuid[8] >> 6, ==, 2);
    g_assert_true(memcmp(first->uuid, first->generation, sizeof(first->uuid)) != 0);
    struct same same = compare(first, complete(directory, "work", "memory_mib=300\n"));
    g_assert_true(same.mac && same.uuid && same.generation);
    same = compare(complete(directory, "work", ""), complete(directory, "clone", ""));
    g_assert_false(same.mac || same.uuid || same.generation);
}

/* The same name on another machine, which is another folder here, is another guest. */
static void test_other_machine(struct directory *directory, gconstpointer data)
{
    struct directory other;
    (void)data;
    directory_setup(&other, NULL);
    struct same same = compare(complete(directory, "work", ""), complete(&other, "work", ""));
    g_assert_false(same.mac || same.uuid || same.generation);
    directory_teardown(&other, NULL);
}

/* What the definition says itself counts, and is nobody else's affair. */
static void test_said(struct directory *directory, gconstpointer data)
{
    struct guest_config *config =
        complete(directory, "work", "mac=00:16:3e:01:02:03\nuuid=6f0a2f5c-8a51-4f0e-9d39-3d0b6a1c7e42\n");
    (void)data;
    g_assert_cmpmem(config->mac, 6, "\x00\x16\x3e\x01\x02\x03", 6);
    g_assert_cmpmem(config->uuid, 4, "\x6f\x0a\x2f\x5c", 4);
    g_assert_cmpint(config->uuid[15], ==, 0x42);
    struct same same = compare(config, complete(directory, "work", ""));
    g_assert_true(!same.mac && !same.uuid && same.generation);
}

static void test_generation(struct directory *directory, gconstpointer data)
{
    g_autoptr(GError) error = NULL;
    (void)data;
    g_assert_true(guest_identity_new_generation(directory->path, "work", &error));
    struct guest_config *before = complete(directory, "work", "");
    g_assert_true(guest_identity_new_generation(directory->path, "work", &error));
    g_assert_no_error(error);
    struct same same = compare(before, complete(directory, "work", ""));
    g_assert_true(same.mac && same.uuid && !same.generation);
}

/* What cannot be read is made anew, alone, and is kept from then on. */
static void test_damaged(struct directory *directory, gconstpointer data)
{
    g_autofree char *path = g_build_filename(directory->path, "work", NULL);
    g_autofree char *text = NULL;
    struct guest_config *before = complete(directory, "work", "");
    (void)data;
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    memcpy(strstr(text, "mac="), "mac=x", 5);
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    struct same same = compare(before, complete(directory, "work", ""));
    g_assert_true(!same.mac && same.uuid && same.generation);
    g_assert_true(g_file_set_contents(path, "\377rubbish", -1, NULL));
    same = compare(complete(directory, "work", ""), complete(directory, "work", ""));
    g_assert_true(same.mac && same.uuid && same.generation);
}

/* One that cannot be kept would be another machine each time. */
static void test_not_kept(struct directory *directory, gconstpointer data)
{
    g_autoptr(GError) error = NULL, other = NULL;
    struct guest_config *config = named(directory, "work", "");
    g_autofree char *path = write_file(directory, "file", "");
    (void)data;
    g_assert_false(guest_identity_complete(config, "/proc/nothing", &error));
    g_assert_error(error, RH_ERROR, RH_ERROR_TOOLSTACK);
    g_assert_false(guest_identity_complete(config, path, &other));
    guest_config_free(config);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD_WITH_DIRECTORY("/identity/kept", test_kept);
    ADD_WITH_DIRECTORY("/identity/other-machine", test_other_machine);
    ADD_WITH_DIRECTORY("/identity/said", test_said);
    ADD_WITH_DIRECTORY("/identity/generation", test_generation);
    ADD_WITH_DIRECTORY("/identity/damaged", test_damaged);
    ADD_WITH_DIRECTORY("/identity/not-kept", test_not_kept);
    return g_test_run();
}
