using System.Buffers.Binary;
using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Provisioner.Protocols.Tftp;

/// <summary>An option as it was written (RFC 2347): a name, compared without case, and a value.</summary>
public readonly record struct TftpOption(string Name, string Value)
{
    /// <summary>Octets of a block, 8 to 65464 (RFC 2348).</summary>
    public const string BlockSize = "blksize";

    /// <summary>Octets of the file; 0 in a read request asks for it (RFC 2349).</summary>
    public const string TransferSize = "tsize";

    /// <summary>Seconds until a packet is sent again, 1 to 255 (RFC 2349).</summary>
    public const string Timeout = "timeout";

    /// <summary>Blocks that are sent before an acknowledgment is awaited, 1 to 65535 (RFC 7440).</summary>
    public const string WindowSize = "windowsize";

    /// <summary>Whether this is the option of that name.</summary>
    public bool Is(string name) => Name.Equals(name, StringComparison.OrdinalIgnoreCase);
}

/// <summary>A read or write request, RRQ or WRQ (RFC 1350 §5 with the options of RFC 2347).</summary>
public sealed record TftpRequest
{
    /// <summary>Names beyond this are refused: RFC 2347 allows 512 octets for the whole request.</summary>
    public const int MaximumNameLength = 511;

    /// <summary>WRQ instead of RRQ.</summary>
    public bool IsWrite { get; init; }

    /// <summary>As the client wrote it, without the octets 0xFF that some ROMs leave at its end (netboot.xyz#1198).</summary>
    public required string FileName { get; init; }

    /// <summary>How the file is to travel.</summary>
    public TftpMode Mode { get; init; }

    /// <summary>In the order of the request; of options given twice the first (RFC 2347: "should be specified only once").</summary>
    public ImmutableArray<TftpOption> Options { get; init; } = [];

    /// <summary>The name to look up: separators as in paths, none in front. EDK2 and Windows loaders write <c>\EFI\BOOT\x.efi</c>.</summary>
    public string CatalogueName => FileName.Replace('\\', '/').TrimStart('/');

    /// <summary>The value of an option, or null.</summary>
    public string? Find(string option)
    {
        foreach (var candidate in Options)
        {
            if (candidate.Is(option))
                return candidate.Value;
        }
        return null;
    }

    /// <summary>Reads RRQ and WRQ. Never throws.</summary>
    /// <param name="datagram">Opcode included.</param>
    /// <param name="request">The request, when it is one.</param>
    /// <param name="reason">What is wrong with it, when it is not.</param>
    public static bool TryParse(ReadOnlySpan<byte> datagram, [NotNullWhen(true)] out TftpRequest? request, [NotNullWhen(false)] out string? reason)
    {
        request = null;
        if (!TftpPacket.TryParseOpcode(datagram, out var opcode, out reason))
            return false;
        if (opcode is not (TftpOpcode.ReadRequest or TftpOpcode.WriteRequest))
        {
            reason = $"opcode {(ushort)opcode} is no request";
            return false;
        }
        var rest = datagram[2..];
        if (!TftpText.TryTake(ref rest, out var name))
        {
            reason = "the file name does not end in NUL";
            return false;
        }
        name = name.TrimEnd((byte)0xFF);
        if (name.IsEmpty)
        {
            reason = "the file name is empty";
            return false;
        }
        if (name.Length > MaximumNameLength)
        {
            reason = $"the file name has {name.Length} octets, {MaximumNameLength} are allowed";
            return false;
        }
        var control = name.IndexOfAnyInRange((byte)0, (byte)0x1F);
        if (control >= 0 || name.Contains((byte)0x7F))
        {
            reason = $"the file name holds the control character 0x{(control >= 0 ? name[control] : 0x7F):x2}";
            return false;
        }
        // ROMs that count the NUL of DHCP option 67 into the name write two.
        ReadOnlySpan<byte> mode;
        do
        {
            if (!TftpText.TryTake(ref rest, out mode))
            {
                reason = "the mode does not end in NUL";
                return false;
            }
        }
        while (mode.IsEmpty);
        if (ParseMode(mode) is not { } parsedMode)
        {
            reason = $"the mode '{TftpText.DecodePrintable(mode)}' is none of octet, netascii, mail";
            return false;
        }
        if (!TryParseOptions(rest, out var options, out reason))
            return false;
        request = new TftpRequest
        {
            IsWrite = opcode == TftpOpcode.WriteRequest,
            FileName = TftpText.DecodePrintable(name),
            Mode = parsedMode,
            Options = options,
        };
        return true;
    }

    /// <summary>Writes the request, as a client sends it.</summary>
    /// <returns>The number of octets written.</returns>
    /// <exception cref="ArgumentException">The destination is too short.</exception>
    public int Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)(IsWrite ? TftpOpcode.WriteRequest : TftpOpcode.ReadRequest));
        var length = 2;
        TftpPacket.WriteText(destination, ref length, FileName);
        TftpPacket.WriteText(destination, ref length, Mode switch { TftpMode.Octet => "octet", TftpMode.Netascii => "netascii", _ => "mail" });
        TftpPacket.WriteOptions(destination, ref length, Options);
        return length;
    }

    /// <summary>Name and value pairs until the end of the packet.</summary>
    internal static bool TryParseOptions(ReadOnlySpan<byte> rest, out ImmutableArray<TftpOption> options, [NotNullWhen(false)] out string? reason)
    {
        options = [];
        reason = null;
        if (rest.IsEmpty)
            return true;
        var list = ImmutableArray.CreateBuilder<TftpOption>();
        while (!rest.IsEmpty)
        {
            if (!TftpText.TryTake(ref rest, out var name))
            {
                reason = $"option {list.Count + 1} has a name that does not end in NUL";
                return false;
            }
            // Padding: a request filled up with NUL octets.
            if (name.IsEmpty && rest.TrimStart((byte)0).IsEmpty)
                break;
            var option = TftpText.DecodePrintable(name);
            if (!TftpText.TryTake(ref rest, out var value))
            {
                reason = $"option '{option}' has no value that ends in NUL";
                return false;
            }
            if (!Contains(list, option))
                list.Add(new TftpOption(option, TftpText.DecodePrintable(value)));
        }
        options = list.DrainToImmutable();
        return true;
    }

    private static bool Contains(ImmutableArray<TftpOption>.Builder list, string name)
    {
        foreach (var option in list)
        {
            if (option.Is(name))
                return true;
        }
        return false;
    }

    private static TftpMode? ParseMode(ReadOnlySpan<byte> mode) =>
        Ascii.EqualsIgnoreCase(mode, "octet"u8) ? TftpMode.Octet
        : Ascii.EqualsIgnoreCase(mode, "netascii"u8) ? TftpMode.Netascii
        : Ascii.EqualsIgnoreCase(mode, "mail"u8) ? TftpMode.Mail
        : null;

    /// <summary>As people read it, such as <c>RRQ snponly.efi octet blksize=1468 tsize=0</c>.</summary>
    public override string ToString() =>
        $"{(IsWrite ? "WRQ" : "RRQ")} {FileName} {Mode.ToString().ToLowerInvariant()}{string.Concat(Options.Select(o => $" {o.Name}={o.Value}"))}";
}
