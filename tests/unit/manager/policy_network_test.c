/*
 * The rules of the network: the text for some policies is the golden one, and nft takes it. With --rules POLICY CARD...
 * the text itself, for policy_network.py, which tries it on packets; a CARD is NAME/DOMID/MAC or
 * NAME/DOMID/MAC/ADDRESS. With --golden what the golden file is to be.
 */
#include "model.h"
#include "policy/network.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MACHINE                                                                                                        \
    "policy test\nlabel untrusted\nguest proxy is a service\nguest home is a desktop\n"                                \
    "allow the laptop to control, run device model of the laptop and any guest\nallow the laptop to drive hardware\n"

static const struct policy_facts noon = {.minute = 720};

static struct policy_asker *open_text(const char *rules)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "roundhouse-network-XXXXXX", NULL);
    g_autofree char *text = g_strconcat(MACHINE, rules, "\n", NULL);
    g_autoptr(GError) error = NULL;
    int fd = g_mkstemp(path);
    g_assert_cmpint(fd, >=, 0);
    g_assert_true(g_close(fd, NULL) && g_file_set_contents(path, text, -1, NULL));
    struct policy *policy = policy_read(path);
    g_autoptr(GByteArray) table = policy_compile(policy);
    if (!table)
        g_error("%s", (const char *)policy->messages->pdata[0]);
    policy_free(policy);
    remove(path);
    struct policy_asker *asker = policy_asker_new(NULL, NULL);
    policy_asker_take(asker, table->data, table->len, &error);
    g_assert_no_error(error);
    return asker;
}

static char *rules_of(const char *policy, const struct policy_card *cards, guint count)
{
    struct policy_asker *asker = open_text(policy);
    char *rules = policy_network_rules(asker, &noon, cards, count);
    policy_asker_free(asker);
    return rules;
}

static const struct policy_card home = {"home", NULL, "xenbr0", 3, FALSE, {0, 0x16, 0x3e, 0, 0, 3}, NULL},
                                pc = {"pc", "untrusted", "xenbr0", 12, TRUE, {0, 0x16, 0x3e, 0, 0, 12}, "10.0.0.12"},
                                proxy = {"proxy", NULL, "xenbr0", 7, FALSE, {0, 0x16, 0x3e, 0, 0, 7}, NULL};

static const struct {
    const char *title, *policy;
} situations[] = {
    {"nothing", "allow the person to start any guest"},
    {"networks and services, as by default", "allow any guest to connect to any network, any service\n"
                                             "allow any service to connect to any guest"},
    {"one way", "allow the guest home to connect to any guest"},
    {"what would have to be asked is denied", "ask before allowing any guest to connect to any network, any guest"},
    {"by label and hour",
     "allow any guest labelled untrusted to connect to any network only when between 08:00 and 18:00\n"
     "allow the guest home to connect to any network only when between 18:00 and 08:00"},
    {"a network by its bridge's name",
     "network xenbr0 is a vpn network\nallow any guest to connect to any wired network\n"
     "allow the guest home to connect to network xenbr0"},
};

static GString *all_rules(void)
{
    const struct policy_card cards[] = {home, pc, proxy};
    GString *text = g_string_new(NULL);
    for (gsize i = 0; i < G_N_ELEMENTS(situations); i++) {
        g_autofree char *rules = rules_of(situations[i].policy, cards, G_N_ELEMENTS(cards));
        g_string_append_printf(text, "# %s\n%s\n", situations[i].title, rules);
    }
    return text;
}

static void test_golden(void)
{
    g_autofree char *expected = NULL;
    GString *text = all_rules();
    g_assert_true(g_file_get_contents(g_getenv("GOLDEN"), &expected, NULL, NULL));
    g_assert_cmpstr(text->str, ==, expected);
    g_string_free(text, TRUE);
}

static void test_no_cards(void)
{
    g_autofree char *rules = rules_of("allow any guest to connect to any network", NULL, 0);
    g_assert_nonnull(strstr(rules, "iifname \"vif*\" drop"));
    g_assert_nonnull(strstr(rules, "oifname \"vif*\" drop"));
}

static struct policy_card read_card(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 4);
    struct policy_card card = {.guest = g_strdup(parts[0]), .bridge = "xenbr0"};
    card.domid = (guint)atoi(parts[1]);
    g_assert_cmpint(sscanf(parts[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &card.mac[0], &card.mac[1], &card.mac[2],
                           &card.mac[3], &card.mac[4], &card.mac[5]),
                    ==, 6);
    card.address = parts[3] ? g_strdup(parts[3]) : NULL;
    return card;
}

static int print_rules(char **words, int count)
{
    g_autofree struct policy_card *cards = g_new0(struct policy_card, count);
    for (int i = 1; i < count; i++)
        cards[i - 1] = read_card(words[i]);
    g_autofree char *rules = rules_of(words[0], cards, (guint)count - 1);
    fputs(rules, stdout);
    for (int i = 0; i < count; i++) {
        g_free((char *)cards[i].guest);
        g_free((char *)cards[i].address);
    }
    return 0;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--rules") == 0)
        return print_rules(argv + 2, argc - 2);
    if (argc > 1 && strcmp(argv[1], "--golden") == 0) {
        GString *text = all_rules();
        fputs(text->str, stdout);
        g_string_free(text, TRUE);
        return 0;
    }
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/policy-network/golden", test_golden);
    g_test_add_func("/policy-network/no-cards", test_no_cards);
    return g_test_run();
}
