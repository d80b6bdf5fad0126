/* SPDX-License-Identifier: MIT
 * Owns the way from an ELF of a real compiler to an image, as elf2bin.py goes it: the named
 * sections, in that order, each a segment. */
#include <elf.h>
#include <string.h>

#include "support/imgbuild.h"

static const Elf32_Shdr *section_at(const struct img *elf, unsigned index)
{
    const Elf32_Ehdr *head = (const void *)elf->data;
    size_t at = head->e_shoff + (size_t)index * sizeof(Elf32_Shdr);
    if (index >= head->e_shnum || at + sizeof(Elf32_Shdr) > elf->n)
        img_fail("section outside the ELF file");
    return (const void *)(elf->data + at);
}

static const Elf32_Shdr *find_section(const struct img *elf, const char *name)
{
    const Elf32_Ehdr *head = (const void *)elf->data;
    const Elf32_Shdr *names = section_at(elf, head->e_shstrndx);
    for (unsigned i = 0; i < head->e_shnum; i++) {
        const Elf32_Shdr *s = section_at(elf, i);
        const char *found = (const char *)elf->data + names->sh_offset + s->sh_name;
        if (strcmp(found, name) == 0)
            return s;
    }
    return NULL;
}

static void put_section(const struct img *elf, const char *name, struct img *out, uint8_t *sum)
{
    const Elf32_Shdr *s = find_section(elf, name);
    struct img data = {0};
    if (s == NULL)
        img_fail("the ELF file lacks a section of a sketch");
    img_put(&data, elf->data + s->sh_offset, s->sh_size);
    img_put_segment(out, s->sh_addr, &data, sum);
    img_free(&data);
}

void img_build_from_elf(const struct img *elf, const char *const *sections, struct img *out)
{
    const Elf32_Ehdr *head = (const void *)elf->data;
    uint8_t sum = 0xef;
    unsigned n = 0;
    if (elf->n < sizeof *head || memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 ||
        head->e_ident[EI_CLASS] != ELFCLASS32)
        img_fail("no 32-bit ELF file");
    while (sections[n] != NULL)
        n++;
    img_build_eboot(1, out);
    img_put_header(out, n, 2, 0x40, head->e_entry);
    for (unsigned i = 0; i < n; i++)
        put_section(elf, sections[i], out, &sum);
    img_put_checksum(out, 4096, sum);
    img_seal_esp8266(out);
}
