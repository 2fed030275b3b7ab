using System.IO.Compression;
using Provisioner.Boot;
using Provisioner.Protocols.Kernels;
using Provisioner.Protocols.Pe;

namespace Provisioner.Images;

/// <summary>A file of an import, and what its first bytes say it is.</summary>
/// <param name="Path">Relative, with <c>/</c>.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Sha256">Lower-case hexadecimal.</param>
internal sealed record StagedFile(string Path, long Size, string Sha256)
{
    public LinuxKernelHeader? Kernel { get; init; }

    public PeHeader? Pe { get; init; }

    /// <summary>Why it is no PE image, when it is none.</summary>
    public string? NoPeBecause { get; init; }

    /// <summary>A cpio archive, plain or compressed, as the kernel unpacks for its initial RAM disk.</summary>
    public bool IsArchive { get; init; }

    public string Name => Path[(Path.LastIndexOf('/') + 1)..];

    public string Folder => Path[..Math.Max(0, Path.LastIndexOf('/'))];

    public int Depth => Path.Count(c => c == '/');

    public PeMachine? Machine => Kernel?.Machine ?? Pe?.Machine;

    public ImageFile ToImageFile() => new(Path, Size, Sha256, Machine is { } machine ? CpuOf(machine) : null);

    /// <summary>Looks at a file's first bytes.</summary>
    public static StagedFile Inspect(string path, long size, string sha256, ReadOnlySpan<byte> start)
    {
        var isKernel = LinuxKernelHeader.TryRead(start, out var kernel, out _);
        var isArchive = IsInitrdMagic(start);
        // Ubuntu's arm64 vmlinuz is a gzipped Image; an initrd is gzipped as well. Only what is inside tells them apart.
        if (!isKernel && start is [0x1F, 0x8B, ..] && LinuxKernelHeader.TryRead(Gunzip(start), out kernel, out _))
            (isKernel, isArchive) = (true, false);
        var isPe = PeHeader.TryRead(start, out var pe, out var reason);
        return new StagedFile(path, size, sha256)
        {
            Kernel = isKernel ? kernel : null,
            Pe = isPe ? pe : null,
            NoPeBecause = reason,
            IsArchive = isArchive,
        };
    }

    public static CpuArchitecture? CpuOf(PeMachine machine) => machine switch
    {
        PeMachine.Amd64 => CpuArchitecture.X64,
        PeMachine.Arm64 => CpuArchitecture.Arm64,
        PeMachine.I386 => CpuArchitecture.X86,
        PeMachine.Arm or PeMachine.ArmThumb or PeMachine.ArmNt => CpuArchitecture.Arm,
        _ => null,
    };

    /// <summary>The compressions of Linux <c>lib/decompress.c</c>, and cpio "newc" itself.</summary>
    private static bool IsInitrdMagic(ReadOnlySpan<byte> start) => start switch
    {
        [0x1F, 0x8B or 0x9E, ..] => true,
        [0xFD, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, ..] => true,
        [0x28, 0xB5, 0x2F, 0xFD, ..] => true,
        [0x02, 0x21, 0x4C, 0x18, ..] => true,
        [(byte)'B', (byte)'Z', (byte)'h', ..] => true,
        [0x5D, 0, 0, ..] => true,
        [0x89, (byte)'L', (byte)'Z', (byte)'O', ..] => true,
        [(byte)'0', (byte)'7', (byte)'0', (byte)'7', (byte)'0', (byte)'1' or (byte)'2', ..] => true,
        _ => false,
    };

    /// <summary>As much of the beginning as the beginning gives; the rest of the stream is not here.</summary>
    private static byte[] Gunzip(ReadOnlySpan<byte> start)
    {
        var plain = new byte[PeHeader.EnoughBytes];
        var length = 0;
        try
        {
            using var gzip = new GZipStream(new MemoryStream(start.ToArray()), CompressionMode.Decompress);
            while (length < plain.Length && gzip.Read(plain.AsSpan(length)) is var read and > 0)
                length += read;
        }
        catch (InvalidDataException)
        {
            // Cut short or not gzip after all: what came out until here is what there is to look at.
        }
        return plain[..length];
    }
}
