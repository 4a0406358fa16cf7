/*
 * Grants that an HVM guest maps into its own physical memory (a driver domain, xenstore or console in a guest).
 */
#include <hv/grant_table.h>
#include <hv/p2m.h>

static enum p2m_type mapping_kind(unsigned flags)
{
    return flags & GNTMAP_readonly ? P2M_GRANT_READONLY : P2M_GRANT_WRITABLE;
}

static bool hold(struct page *page, enum p2m_type kind)
{
    if (!page_get_owned(page))
        return false;
    if (kind == P2M_GRANT_READONLY || !page_get_type(page, TYPE_WRITABLE))
        return true;
    page_put(page);
    return false;
}

static void let_go(struct page *page, enum p2m_type kind)
{
    if (kind == P2M_GRANT_READONLY)
        page_put(page);
    else
        page_put_with_type(page);
}

int hvm_grant_map(uint64_t address, mfn_t mfn, unsigned flags)
{
    struct domain *d = current->domain;
    enum p2m_type kind = mapping_kind(flags), there;

    if ((address & ~PAGE_MASK) || (flags & GNTMAP_contains_pte))
        return GNTST_general_error;
    p2m_lookup(d, address >> PAGE_SHIFT, &there, NULL);
    if (there != P2M_HOLE || !hold(mfn_to_page(mfn), kind))
        return GNTST_general_error;
    if (!p2m_set(d, address >> PAGE_SHIFT, mfn, 0, kind))
        return GNTST_okay;
    let_go(mfn_to_page(mfn), kind);
    return GNTST_general_error;
}

int hvm_grant_unmap(uint64_t address, mfn_t mfn, unsigned flags)
{
    struct domain *d = current->domain;
    enum p2m_type kind;

    if (p2m_lookup(d, address >> PAGE_SHIFT, &kind, NULL) != mfn || kind != mapping_kind(flags))
        return GNTST_general_error;
    return p2m_clear(d, address >> PAGE_SHIFT, 0) ? GNTST_general_error : GNTST_okay;
}
