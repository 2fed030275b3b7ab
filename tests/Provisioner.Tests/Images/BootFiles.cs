using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using Provisioner.Protocols.Pe;
using Provisioner.Protocols.Tests.Pe;

namespace Provisioner.Tests.Images;

/// <summary>The smallest files that are what they say, and archives of them.</summary>
internal static class BootFiles
{
    public static byte[] Efi(PeMachine machine) => PeImages.Efi(machine);

    public static byte[] BzImage()
    {
        var image = new byte[4096];
        image[0x1FE] = 0x55;
        image[0x1FF] = 0xAA;
        "HdrS"u8.CopyTo(image.AsSpan(0x202));
        BinaryPrimitives.WriteUInt16LittleEndian(image.AsSpan(0x206), 0x20F);
        image[0x236] = 1;
        return image;
    }

    public static byte[] Arm64Image()
    {
        var image = PeImages.Efi(PeMachine.Arm64);
        "ARM\x64"u8.CopyTo(image.AsSpan(56));
        return image;
    }

    public static byte[] Initrd(int size = 1000) => Gzip([.. "070701"u8, .. new byte[size]]);

    public static byte[] Gzip(byte[] content)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(content);
        return packed.ToArray();
    }

    /// <summary>A netboot directory for x86-64 as Debian lays it out.</summary>
    public static (string Path, byte[] Content)[] Debian() =>
    [
        ("debian-installer/amd64/linux", BzImage()),
        ("debian-installer/amd64/initrd.gz", Initrd()),
        ("debian-installer/amd64/bootnetx64.efi", Efi(PeMachine.Amd64)),
        ("debian-installer/amd64/grubx64.efi", Efi(PeMachine.Amd64)),
        ("debian-installer/amd64/grub/grub.cfg", "menuentry"u8.ToArray()),
        ("version.info", "12"u8.ToArray()),
    ];

    public static MemoryStream Tar(params (string Path, byte[] Content)[] files) =>
        Tar(writer =>
        {
            foreach (var (path, content) in files)
                writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, path) { DataStream = new MemoryStream(content) });
        });

    public static MemoryStream Tar(Action<TarWriter> write)
    {
        var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true))
            write(writer);
        archive.Position = 0;
        return archive;
    }

    public static void WriteTo(string directory, params (string Path, byte[] Content)[] files)
    {
        foreach (var (path, content) in files)
        {
            var target = Path.Combine(directory, path);
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            File.WriteAllBytes(target, content);
        }
    }
}
