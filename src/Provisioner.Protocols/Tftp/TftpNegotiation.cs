using System.Collections.Immutable;

namespace Provisioner.Protocols.Tftp;

/// <summary>What a server is willing to do.</summary>
public sealed record TftpLimits
{
    /// <summary>Octets of a block. 1468 fills an Ethernet frame: 1500 less 20 (IP), 8 (UDP), 4 (TFTP). Larger ones are fragmented, which tunnels and firmware lose (edk2#7632).</summary>
    public int BlockSize { get; init; } = 1468;

    /// <summary>Blocks of a window.</summary>
    public int WindowSize { get; init; } = 64;

    /// <summary>Octets of a window with its headers: the memory a session may hold.</summary>
    public int WindowOctets { get; init; } = 128 * 1024;
}

/// <summary>How a transfer runs.</summary>
public sealed record TftpParameters
{
    /// <summary>Octets of each block but the last, 512 unless agreed (RFC 2348).</summary>
    public int BlockSize { get; init; } = 512;

    /// <summary>Blocks sent before an acknowledgment is awaited, 1 unless agreed (RFC 7440).</summary>
    public int WindowSize { get; init; } = 1;

    /// <summary>Seconds until a packet is sent again, when the client named them (RFC 2349).</summary>
    public int? TimeoutSeconds { get; init; }

    /// <summary>What goes into the OACK, in the order of the request; empty when there is none to send.</summary>
    public ImmutableArray<TftpOption> Acknowledged { get; init; } = [];
}

/// <summary>Agrees on the options of a read request (RFC 2347 and those of RFC 2348, 2349, 7440).</summary>
public static class TftpNegotiation
{
    /// <summary>The smallest block of RFC 2348. Sizes below 512 are legal, and asked for by small boot ROMs.</summary>
    public const int MinimumBlockSize = 8;

    /// <summary>The largest block of RFC 2348.</summary>
    public const int MaximumBlockSize = 65_464;

    /// <summary>
    /// Accepts only what was asked, never more than was asked, <c>timeout</c> as it was asked. What cannot be met or read is left
    /// out, as RFC 2347 wants it: the transfer then runs without that option.
    /// </summary>
    /// <param name="request">A read request.</param>
    /// <param name="limits">What the server is willing to do.</param>
    /// <param name="fileLength">Octets of the file as octet mode sends it.</param>
    public static TftpParameters Negotiate(TftpRequest request, TftpLimits limits, long fileLength)
    {
        // The window's memory depends on the block size, whichever comes first in the request.
        int? blockSize = Number(request, TftpOption.BlockSize) is { } size and >= MinimumBlockSize
            ? (int)Math.Min(Math.Min(size, MaximumBlockSize), Math.Max(limits.BlockSize, MinimumBlockSize))
            : null;
        var slot = (blockSize ?? 512) + TftpPacket.DataHeaderSize;
        int? windowSize = Number(request, TftpOption.WindowSize) is { } window and >= 1
            ? (int)Math.Min(window, Math.Max(1, Math.Min(limits.WindowSize, limits.WindowOctets / slot)))
            : null;
        int? timeout = Number(request, TftpOption.Timeout) is { } seconds and >= 1 and <= 255 ? (int)seconds : null;

        var acknowledged = ImmutableArray.CreateBuilder<TftpOption>(request.Options.Length);
        foreach (var option in request.Options)
        {
            string? value = null;
            if (option.Is(TftpOption.BlockSize))
                value = blockSize?.ToString();
            else if (option.Is(TftpOption.WindowSize))
                value = windowSize?.ToString();
            else if (option.Is(TftpOption.Timeout))
                value = timeout is null ? null : option.Value;
            // The size in octets is not what netascii sends, and a client may stop at it: left out, as tftpd-hpa does.
            else if (option.Is(TftpOption.TransferSize) && request.Mode == TftpMode.Octet && TftpText.TryParseNumber(option.Value, out _))
                value = fileLength.ToString();
            if (value is not null)
                acknowledged.Add(option with { Value = value });
        }
        return new TftpParameters
        {
            BlockSize = blockSize ?? 512,
            WindowSize = windowSize ?? 1,
            TimeoutSeconds = timeout,
            Acknowledged = acknowledged.DrainToImmutable(),
        };
    }

    private static long? Number(TftpRequest request, string option) =>
        TftpText.TryParseNumber(request.Find(option), out var number) ? number : null;
}
