/*
 * Device models keep mappings of a guest's frames: they hear of it when the guest itself gives one away or moves it.
 */
#include "fake.h"

static bool told(void)
{
    bool were = fake_mappings_forgotten;

    fake_mappings_forgotten = false;
    return were;
}

static void own_frames_go(void)
{
    mfn_t theirs = fake_frame_of(&control, 0);

    for (gfn_t gfn = 0x20; gfn < 0x24; gfn++)
        fake_ram_at(gfn, 0);
    told();
    CHECK_EQUAL(0, p2m_release(&guest, 0x20, 0));
    CHECK(!told()); /* who acts for the guest knows by himself */
    fake_be(guest.vcpu[0]);
    fake_ram_at(0x20, 0);
    CHECK(!told());
    CHECK_EQUAL(0, p2m_release(&guest, 0x21, 0));
    CHECK(told());
    CHECK_EQUAL(-EINVAL, p2m_release(&guest, 0x21, 0));
    CHECK(!told());
    CHECK_EQUAL(0, p2m_clear(&guest, 0x22, 0));
    CHECK(told());
    CHECK_EQUAL(0, p2m_move(&guest, 0x23, 0x24));
    CHECK(told());
    CHECK_EQUAL(GNTST_okay, hvm_grant_map(0x30 << 12, theirs, GNTMAP_host_map));
    CHECK_EQUAL(GNTST_okay, hvm_grant_unmap(0x30 << 12, theirs, GNTMAP_host_map));
    CHECK(!told());
}

int main(void)
{
    for (unsigned ept = 0; ept < 2; ept++) {
        fake_start(ept, false);
        own_frames_go();
        fake_stop();
    }
    return 0;
}
