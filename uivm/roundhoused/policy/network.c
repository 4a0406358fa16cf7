/* Frames that a bridge passes on come by `forward`, those for this machine by `input` (nft(8), bridge family). */
#include "network.h"

/* Names of libxl's hotplug scripts. */
static void append_ports(GString *text, const struct policy_card *card)
{
    g_string_append_printf(text, "{ \"vif%u.0\"", card->domid);
    if (card->emulated)
        g_string_append_printf(text, ", \"vif%u.0-emu\"", card->domid);
    g_string_append(text, " }");
}

static struct policy_party guest_of(const struct policy_card *card)
{
    return (struct policy_party){POLICY_GUEST, card->guest, card->label};
}

static gboolean may_connect(struct policy_asker *asker, const struct policy_facts *facts,
                            const struct policy_card *card, const struct policy_party *object)
{
    const struct policy_party subject = guest_of(card);
    return policy_ask(asker, &subject, POLICY_VERB_CONNECT, object, facts).effect == POLICY_ALLOW;
}

static gboolean may_reach(struct policy_asker *asker, const struct policy_facts *facts, const struct policy_card *from,
                          const struct policy_card *to)
{
    const struct policy_party object = guest_of(to);
    return may_connect(asker, facts, from, &object);
}

static gboolean may_go_out(struct policy_asker *asker, const struct policy_facts *facts, const struct policy_card *card)
{
    const struct policy_party network = {POLICY_NETWORK, card->bridge, NULL};
    return may_connect(asker, facts, card, &network);
}

/* From its own address alone; tags of virtual networks would hide what is in a frame. */
static void append_own_address(GString *text, const struct policy_card *card)
{
    const guint8 *m = card->mac;
    g_autofree char *mac = g_strdup_printf("%02x:%02x:%02x:%02x:%02x:%02x", m[0], m[1], m[2], m[3], m[4], m[5]);
    g_string_append_printf(text, "\t\tether saddr != %s drop\n\t\tether type { 8021q, 8021ad } drop\n", mac);
    g_string_append_printf(text, "\t\tarp saddr ether != %s drop\n", mac);
    if (card->address)
        g_string_append_printf(text, "\t\tip saddr != { %s, 0.0.0.0 } drop\n\t\tarp saddr ip != { %s, 0.0.0.0 } drop\n",
                               card->address, card->address);
}

static void append_pair(GString *text, struct policy_asker *asker, const struct policy_facts *facts,
                        const struct policy_card *from, const struct policy_card *to)
{
    gboolean forth = may_reach(asker, facts, from, to), back = may_reach(asker, facts, to, from);
    if (!forth && !back)
        return;
    g_string_append(text, "\t\toifname ");
    append_ports(text, to);
    g_string_append(text, forth ? " accept\n" : " goto answers\n");
}

static void append_card(GString *text, struct policy_asker *asker, const struct policy_facts *facts,
                        const struct policy_card *cards, guint count, guint which)
{
    g_string_append_printf(text, "\tchain from_%u { # %s\n", cards[which].domid, cards[which].guest);
    append_own_address(text, &cards[which]);
    for (guint i = 0; i < count; i++)
        if (i != which)
            append_pair(text, asker, facts, &cards[which], &cards[i]);
    g_string_append_printf(text, "\t\toifname \"vif*\" drop\n\t\t%s\n\t}\n",
                           may_go_out(asker, facts, &cards[which]) ? "accept" : "drop");
}

static void append_forward(GString *text, struct policy_asker *asker, const struct policy_facts *facts,
                           const struct policy_card *cards, guint count)
{
    g_string_append(text, "\tchain forward {\n\t\ttype filter hook forward priority 0; policy accept;\n");
    for (guint i = 0; i < count; i++) {
        g_string_append(text, "\t\tiifname ");
        append_ports(text, &cards[i]);
        g_string_append_printf(text, " goto from_%u\n", cards[i].domid);
    }
    g_string_append(text, "\t\tiifname \"vif*\" drop\n");
    for (guint i = 0; i < count; i++) {
        if (!may_go_out(asker, facts, &cards[i]))
            continue;
        g_string_append(text, "\t\toifname ");
        append_ports(text, &cards[i]);
        g_string_append(text, " accept\n");
    }
    g_string_append(text, "\t\toifname \"vif*\" drop\n\t}\n");
}

char *policy_network_rules(struct policy_asker *asker, const struct policy_facts *facts,
                           const struct policy_card *cards, guint count)
{
    /* A table that is not there cannot be deleted: it is made first. */
    GString *text = g_string_new("table bridge roundhouse\ndelete table bridge roundhouse\n"
                                 "table bridge roundhouse {\n"
                                 "\tchain answers {\n"
                                 "\t\tether type arp accept\n"
                                 "\t\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, echo-reply } accept\n"
                                 "\t\ticmp type echo-reply accept\n"
                                 "\t\ttcp flags & (syn | ack) != syn accept\n"
                                 "\t\tdrop\n"
                                 "\t}\n");
    for (guint i = 0; i < count; i++)
        append_card(text, asker, facts, cards, count, i);
    append_forward(text, asker, facts, cards, count);
    g_string_append(text, "\tchain input {\n\t\ttype filter hook input priority 0; policy accept;\n"
                          "\t\tiifname \"vif*\" drop\n\t}\n}\n");
    return g_string_free(text, FALSE);
}
