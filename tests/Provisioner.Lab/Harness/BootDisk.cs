using System.Buffers.Binary;
using System.Text;

namespace Provisioner.Lab.Harness;

/// <summary>
/// A disk with an operating system as small as one can be: it says <see cref="Marker"/> on the console and stops. Seeing it is proof that
/// the machine went on to its own disk.
/// </summary>
internal static class BootDisk
{
    /// <summary>What it says.</summary>
    public const string Marker = "This is the local disk of the lab.";

    /// <summary>Makes a disk image that this firmware boots.</summary>
    /// <returns>Its path.</returns>
    public static async Task<string> CreateAsync(Firmware firmware, string directory)
    {
        var path = Path.Combine(directory, $"disk-{firmware}.img");
        if (firmware == Firmware.Bios)
        {
            await File.WriteAllBytesAsync(path, MasterBootRecord());
            return path;
        }
        // A FAT file system over the whole disk, as on a stick: UEFI looks for the removable media path in it.
        var program = Path.Combine(directory, $"disk-{firmware}.efi");
        await File.WriteAllBytesAsync(program, EfiProgram(firmware == Firmware.UefiArm64));
        (await LabProcess.RunAsync("mformat", ["-C", "-i", path, "-T", "65536", "-v", "LABDISK", "::"])).OrThrow();
        (await LabProcess.RunAsync("mmd", ["-i", path, "::/EFI", "::/EFI/BOOT"])).OrThrow();
        (await LabProcess.RunAsync("mcopy", ["-i", path, program, firmware == Firmware.UefiArm64 ? "::/EFI/BOOT/BOOTAA64.EFI" : "::/EFI/BOOT/BOOTX64.EFI"])).OrThrow();
        return path;
    }

    /// <summary>A boot sector for BIOS: 16-bit code at 0000:7C00 that writes the marker to the first serial port, then halts.</summary>
    private static byte[] MasterBootRecord()
    {
        // The firmware reads whole tracks: a disk of one sector is not a disk to every BIOS.
        var disk = new byte[1024 * 1024];
        ReadOnlySpan<byte> code =
        [
            0xFA,             //        cli
            0x31, 0xC0,       //        xor  ax, ax
            0x8E, 0xD8,       //        mov  ds, ax
            0xBE, 0x20, 0x7C, //        mov  si, 7C20h        the text below
            0xAC,             // next:  lodsb
            0x84, 0xC0,       //        test al, al
            0x74, 0x11,       //        jz   halt
            0x88, 0xC4,       //        mov  ah, al
            0xBA, 0xFD, 0x03, //        mov  dx, 3FDh         line status of COM1
            0xEC,             // wait:  in   al, dx
            0xA8, 0x20,       //        test al, 20h          room for a byte
            0x74, 0xFB,       //        jz   wait
            0xB2, 0xF8,       //        mov  dl, F8h          data of COM1
            0x88, 0xE0,       //        mov  al, ah
            0xEE,             //        out  dx, al
            0xEB, 0xEA,       //        jmp  next
            0xF4,             // halt:  hlt
            0xEB, 0xFD,       //        jmp  halt
        ];
        code.CopyTo(disk);
        Encoding.ASCII.GetBytes(Marker + "\r\n", disk.AsSpan(0x20));
        BinaryPrimitives.WriteUInt16LittleEndian(disk.AsSpan(510), 0xAA55);
        return disk;
    }

    /// <summary>
    /// A UEFI application (UEFI 2.10 §2.1, Microsoft PE format): one section, no relocations, calls
    /// <c>SystemTable->ConOut->OutputString</c> (§12.4) once and loops.
    /// </summary>
    private static byte[] EfiProgram(bool arm64)
    {
        const int HeaderSize = 0x200, SectionAddress = 0x1000, Text = 0x40;
        var file = new byte[HeaderSize + 0x200];
        var span = file.AsSpan();

        void U16(int at, int value) => BinaryPrimitives.WriteUInt16LittleEndian(file.AsSpan(at), (ushort)value);
        void U32(int at, int value) => BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(at), value);

        "MZ"u8.CopyTo(span);
        U32(0x3C, 0x40);                     // e_lfanew
        "PE\0\0"u8.CopyTo(span[0x40..]);
        U16(0x44, arm64 ? 0xAA64 : 0x8664);  // Machine
        U16(0x46, 1);                        // NumberOfSections
        U16(0x54, 240);                      // SizeOfOptionalHeader
        U16(0x56, 0x0022);                   // EXECUTABLE_IMAGE, LARGE_ADDRESS_AWARE: relocations are not stripped, there just are none
        const int Optional = 0x58;
        U16(Optional, 0x20B);                // PE32+
        U32(Optional + 4, 0x200);            // SizeOfCode
        U32(Optional + 16, SectionAddress);  // AddressOfEntryPoint
        U32(Optional + 20, SectionAddress);  // BaseOfCode
        U32(Optional + 32, 0x1000);          // SectionAlignment
        U32(Optional + 36, 0x200);           // FileAlignment
        U32(Optional + 56, SectionAddress + 0x1000); // SizeOfImage
        U32(Optional + 60, HeaderSize);      // SizeOfHeaders
        U16(Optional + 68, 10);              // Subsystem: EFI application
        U32(Optional + 108, 16);             // NumberOfRvaAndSizes
        const int Section = Optional + 240;
        ".text"u8.CopyTo(span[Section..]);
        U32(Section + 8, 0x200);             // VirtualSize
        U32(Section + 12, SectionAddress);
        U32(Section + 16, 0x200);            // SizeOfRawData
        U32(Section + 20, HeaderSize);       // PointerToRawData
        U32(Section + 36, 0x60000020);       // code, execute, read

        ReadOnlySpan<byte> x64 =
        [
            0x48, 0x83, 0xEC, 0x28,                   // sub  rsp, 40        shadow space
            0x48, 0x8B, 0x4A, 0x40,                   // mov  rcx, [rdx+64]  SystemTable->ConOut
            0x48, 0x8D, 0x15, 0x31, 0x00, 0x00, 0x00, // lea  rdx, [rip+31h] the text
            0xFF, 0x51, 0x08,                         // call [rcx+8]        OutputString
            0xEB, 0xFE,                               // jmp  $
        ];
        ReadOnlySpan<byte> a64 =
        [
            0x20, 0x20, 0x40, 0xF9, // ldr x0, [x1, #64]   SystemTable->ConOut
            0xE1, 0x01, 0x00, 0x10, // adr x1, #60         the text
            0x02, 0x04, 0x40, 0xF9, // ldr x2, [x0, #8]    OutputString
            0x40, 0x00, 0x3F, 0xD6, // blr x2
            0x00, 0x00, 0x00, 0x14, // b   .
        ];
        (arm64 ? a64 : x64).CopyTo(span[HeaderSize..]);
        Encoding.Unicode.GetBytes("\r\n" + Marker + "\r\n", span[(HeaderSize + Text)..]);
        return file;
    }
}
