namespace Provisioner.Protocols.Tftp;

/// <summary>The first two octets of a TFTP packet (RFC 1350 §5, RFC 2347).</summary>
public enum TftpOpcode : ushort
{
    /// <summary>RRQ.</summary>
    ReadRequest = 1,

    /// <summary>WRQ.</summary>
    WriteRequest = 2,

    /// <summary>DATA.</summary>
    Data = 3,

    /// <summary>ACK.</summary>
    Acknowledgment = 4,

    /// <summary>ERROR.</summary>
    Error = 5,

    /// <summary>OACK (RFC 2347).</summary>
    OptionAcknowledgment = 6,
}

/// <summary>How a file's octets travel (RFC 1350 §1).</summary>
public enum TftpMode
{
    /// <summary>As they are.</summary>
    Octet,

    /// <summary>As lines of text that end in CR LF (RFC 764).</summary>
    Netascii,

    /// <summary>To a user instead of a file; obsolete since RFC 1350.</summary>
    Mail,
}

/// <summary>What an ERROR packet says (RFC 1350 appendix, RFC 2347).</summary>
public enum TftpErrorCode : ushort
{
    /// <summary>See the message.</summary>
    NotDefined = 0,

    /// <summary>What PXELINUX and shim take for "try the next name".</summary>
    FileNotFound = 1,

    /// <summary>Not allowed.</summary>
    AccessViolation = 2,

    /// <summary>Disk full or allocation exceeded: the client cannot hold the file.</summary>
    DiskFull = 3,

    /// <summary>Illegal TFTP operation.</summary>
    IllegalOperation = 4,

    /// <summary>Unknown transfer ID (port).</summary>
    UnknownTransferId = 5,

    /// <summary>File already exists.</summary>
    FileExists = 6,

    /// <summary>No such user.</summary>
    NoSuchUser = 7,

    /// <summary>The client ends a transfer over its options (RFC 2347); EDK2 does so after it has learned the size.</summary>
    OptionNegotiation = 8,
}
