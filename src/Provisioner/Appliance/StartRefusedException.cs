using System.Net.Sockets;
using Provisioner.Certificates.Keys;
using Provisioner.Networks.Sockets;
using Provisioner.Resources;
using Provisioner.Storage;

namespace Provisioner.Appliance;

/// <summary>The service cannot start. The message says what to do about it.</summary>
internal sealed class StartRefusedException(string message, Exception? cause = null) : Exception(message, cause)
{
    /// <summary>What to tell the person who started it, or null when it is a fault of ours and they need the stack trace.</summary>
    public static string? Explain(Exception exception) => exception switch
    {
        StartRefusedException or ListenException or StoreException or ChangeRefusedException or KeyStoreException => exception.Message,
        AggregateException { InnerExceptions: var all } when all.Select(Explain).ToList() is var said && said.TrueForAll(s => s is not null) => string.Join(' ', said),
        IOException or UnauthorizedAccessException => exception.Message,
        SocketException socket => socket.Message,
        _ => null,
    };
}
