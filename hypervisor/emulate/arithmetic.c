/*
 * Arithmetic with the processor's flags, in plain C: it reads like the manual's formulas, runs under sanitizers, and
 * tests compare it with the processor's own. Only wide division uses the instruction, for which the image has no
 * library function. Flags that the manuals leave undefined are kept, or as real processors have them.
 */
#include <hv/arithmetic.h>
#include <hv/instruction.h>

void set_flag(uint64_t *flags, uint64_t flag, bool value)
{
    *flags = value ? *flags | flag : *flags & ~flag;
}

static bool top_bit(uint64_t value, unsigned bytes)
{
    return value >> (8 * bytes - 1) & 1;
}

static void set_result_flags(uint64_t *flags, unsigned bytes, uint64_t result)
{
    set_flag(flags, FLAG_ZF, result == 0);
    set_flag(flags, FLAG_SF, top_bit(result, bytes));
    set_flag(flags, FLAG_PF, !(__builtin_popcount((unsigned)result & 0xff) & 1));
}

static uint64_t add(unsigned bytes, uint64_t a, uint64_t b, bool carry, uint64_t *flags)
{
    uint64_t result = low_bytes(a + b + carry, bytes);
    set_flag(flags, FLAG_CF, result < a || (carry && result == a));
    set_flag(flags, FLAG_AF, (a ^ b ^ result) & 0x10);
    set_flag(flags, FLAG_OF, top_bit((a ^ result) & (b ^ result), bytes));
    set_result_flags(flags, bytes, result);
    return result;
}

static uint64_t subtract(unsigned bytes, uint64_t a, uint64_t b, bool borrow, uint64_t *flags)
{
    uint64_t result = low_bytes(a - b - borrow, bytes);
    set_flag(flags, FLAG_CF, a < b || (borrow && a == b));
    set_flag(flags, FLAG_AF, (a ^ b ^ result) & 0x10);
    set_flag(flags, FLAG_OF, top_bit((a ^ b) & (a ^ result), bytes));
    set_result_flags(flags, bytes, result);
    return result;
}

static uint64_t logic(unsigned bytes, uint64_t result, uint64_t *flags)
{
    *flags &= ~(FLAG_CF | FLAG_OF | FLAG_AF);
    set_result_flags(flags, bytes, result);
    return result;
}

uint64_t alu(enum alu_operation operation, unsigned bytes, uint64_t a, uint64_t b, uint64_t *flags)
{
    bool carry = *flags & FLAG_CF;
    a = low_bytes(a, bytes);
    b = low_bytes(b, bytes);
    switch (operation) {
    case ALU_ADD:
        return add(bytes, a, b, false, flags);
    case ALU_OR:
        return logic(bytes, a | b, flags);
    case ALU_ADC:
        return add(bytes, a, b, carry, flags);
    case ALU_SBB:
        return subtract(bytes, a, b, carry, flags);
    case ALU_AND:
        return logic(bytes, a & b, flags);
    case ALU_SUB:
        return subtract(bytes, a, b, false, flags);
    case ALU_XOR:
        return logic(bytes, a ^ b, flags);
    default:
        subtract(bytes, a, b, false, flags);
        return a;
    }
}

uint64_t change_bit(unsigned operation, uint64_t value, unsigned bit, uint64_t *flags)
{
    uint64_t mask = 1UL << bit;
    set_flag(flags, FLAG_CF, value & mask);
    return operation == 1 ? value | mask : operation == 2 ? value & ~mask : operation == 3 ? value ^ mask : value;
}

/* One step of a rotation; the carry flag takes the bit that moves around, and takes part with rcl and rcr. */
static uint64_t rotate_once(enum shift_operation operation, unsigned bytes, uint64_t a, uint64_t *flags)
{
    bool carry = *flags & FLAG_CF, top = top_bit(a, bytes), low = a & 1;
    bool left = operation == SHIFT_ROL || operation == SHIFT_RCL;
    bool through = operation == SHIFT_RCL || operation == SHIFT_RCR;
    bool out = left ? top : low, in = through ? carry : out;
    set_flag(flags, FLAG_CF, out);
    return left ? low_bytes(a << 1 | in, bytes) : a >> 1 | (uint64_t)in << (8 * bytes - 1);
}

static uint64_t rotate(enum shift_operation operation, unsigned bytes, uint64_t a, unsigned count, uint64_t *flags)
{
    for (unsigned i = 0; i < count; i++)
        a = rotate_once(operation, bytes, a, flags);
    bool left = operation == SHIFT_ROL || operation == SHIFT_RCL;
    bool other = left ? *flags & FLAG_CF : top_bit(a << 1, bytes);
    set_flag(flags, FLAG_OF, top_bit(a, bytes) != other);
    return a;
}

uint64_t shift(enum shift_operation operation, unsigned bytes, uint64_t a, unsigned count, uint64_t *flags)
{
    unsigned bits = 8 * bytes;
    a = low_bytes(a, bytes);
    count &= bytes == 8 ? 63 : 31;
    if (count == 0)
        return a;
    if (operation <= SHIFT_RCR)
        return rotate(operation, bytes, a, count, flags);
    uint64_t result;
    if (operation == SHIFT_SHR) {
        set_flag(flags, FLAG_CF, a >> (count - 1) & 1);
        set_flag(flags, FLAG_OF, top_bit(a, bytes));
        result = a >> count;
    } else if (operation == SHIFT_SAR) {
        int64_t wide = (int64_t)sign_extend(a, bytes);
        set_flag(flags, FLAG_CF, wide >> (count - 1) & 1);
        set_flag(flags, FLAG_OF, false);
        result = low_bytes((uint64_t)(wide >> count), bytes);
    } else {
        bool carry = count <= bits && (a >> (bits - count) & 1);
        result = low_bytes(a << count, bytes);
        set_flag(flags, FLAG_CF, carry);
        set_flag(flags, FLAG_OF, top_bit(result, bytes) != carry);
    }
    set_result_flags(flags, bytes, result);
    return result;
}

/* A count above 16 with 16-bit operands is undefined: bits of the filler wrap around then. */
uint64_t shift_double(bool left, unsigned bytes, uint64_t a, uint64_t filler, unsigned count, uint64_t *flags)
{
    unsigned bits = 8 * bytes;
    count &= bytes == 8 ? 63 : 31;
    if (count == 0)
        return a;
    bool before = top_bit(a, bytes);
    for (unsigned i = 0; i < count; i++) {
        bool out = left ? top_bit(a, bytes) : a & 1;
        bool in = left ? filler >> (bits - 1 - i % bits) & 1 : filler >> (i % bits) & 1;
        a = left ? low_bytes(a << 1 | in, bytes) : a >> 1 | (uint64_t)in << (bits - 1);
        set_flag(flags, FLAG_CF, out);
    }
    set_flag(flags, FLAG_OF, top_bit(a, bytes) != before);
    set_result_flags(flags, bytes, a);
    return a;
}

void multiply(bool is_signed, unsigned bytes, uint64_t a, uint64_t b, uint64_t *low, uint64_t *high, uint64_t *flags)
{
    unsigned __int128 product;
    if (is_signed)
        product = (unsigned __int128)((__int128)(int64_t)sign_extend(a, bytes) * (int64_t)sign_extend(b, bytes));
    else
        product = (unsigned __int128)low_bytes(a, bytes) * low_bytes(b, bytes);
    *low = low_bytes((uint64_t)product, bytes);
    *high = low_bytes((uint64_t)(product >> (8 * bytes)), bytes);
    uint64_t plain = is_signed && top_bit(*low, bytes) ? low_bytes(~0UL, bytes) : 0;
    set_flag(flags, FLAG_CF | FLAG_OF, *high != plain);
}

/* high < divisor, so that the quotient fits. */
static void divide_wide(uint64_t high, uint64_t low, uint64_t divisor, uint64_t *quotient, uint64_t *remainder)
{
    __asm__("divq %4" : "=a"(*quotient), "=d"(*remainder) : "0"(low), "1"(high), "rm"(divisor) : "cc");
}

static bool divide_unsigned_values(unsigned bytes, uint64_t high, uint64_t low, uint64_t divisor, uint64_t *quotient,
                                   uint64_t *remainder)
{
    if (high >= divisor)
        return false;
    if (bytes == 8) {
        divide_wide(high, low, divisor, quotient, remainder);
        return true;
    }
    uint64_t dividend = high << (8 * bytes) | low;
    *quotient = dividend / divisor;
    *remainder = dividend % divisor;
    return true;
}

/* Of magnitudes; the quotient rounds toward zero and the remainder has the dividend's sign. */
bool divide(bool is_signed, unsigned bytes, uint64_t high, uint64_t low, uint64_t divisor, uint64_t *quotient,
            uint64_t *remainder)
{
    bool negative = is_signed && top_bit(high, bytes), opposite = negative;
    if (negative) {
        low = low_bytes(-low, bytes);
        high = low_bytes(~high + (low == 0), bytes);
    }
    if (is_signed && top_bit(divisor, bytes)) {
        divisor = low_bytes(-divisor, bytes);
        opposite = !negative;
    }
    if (!divide_unsigned_values(bytes, high, low, divisor, quotient, remainder))
        return false;
    uint64_t limit = low_bytes(~0UL, bytes);
    if (is_signed)
        limit = (limit >> 1) + opposite;
    if (*quotient > limit)
        return false;
    if (opposite)
        *quotient = low_bytes(-*quotient, bytes);
    if (negative)
        *remainder = low_bytes(-*remainder, bytes);
    return true;
}

bool condition_holds(unsigned code, uint64_t flags)
{
    bool less = !(flags & FLAG_SF) != !(flags & FLAG_OF), holds;
    switch (code >> 1 & 7) {
    case 0:
        holds = flags & FLAG_OF;
        break;
    case 1:
        holds = flags & FLAG_CF;
        break;
    case 2:
        holds = flags & FLAG_ZF;
        break;
    case 3:
        holds = flags & (FLAG_CF | FLAG_ZF);
        break;
    case 4:
        holds = flags & FLAG_SF;
        break;
    case 5:
        holds = flags & FLAG_PF;
        break;
    case 6:
        holds = less;
        break;
    default:
        holds = less || flags & FLAG_ZF;
    }
    return holds != (code & 1);
}
