using System.Buffers.Binary;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections.Features;
using Provisioner.Auth;
using Provisioner.Resources;

namespace Provisioner.Api;

/// <summary>
/// Who asks. At the other end of the unix socket: the kernel says so (SO_PEERCRED, unix(7)), the caller cannot, and the socket's file permissions
/// have let him in. On the secure plane: whoever signed in.
/// </summary>
internal static class Caller
{
    private const int SolSocket = 1;
    private const int SoPeerCred = 17;

    /// <summary>The user's name, or <c>uid N</c> for one without an entry in /etc/passwd; <c>api</c> when there is no socket to ask.</summary>
    public static string Name(HttpContext context)
    {
        if (context.User.Actor() is { } signedIn)
            return signedIn;
        if (context.Features.Get<IConnectionSocketFeature>()?.Socket is not { AddressFamily: AddressFamily.Unix } socket)
            return "api";
        Span<byte> credentials = stackalloc byte[12]; // struct ucred: pid, uid, gid
        try
        {
            if (socket.GetRawSocketOption(SolSocket, SoPeerCred, credentials) < 8)
                return "api";
        }
        catch (SocketException)
        {
            return "api";
        }
        return NameOf(BinaryPrimitives.ReadUInt32LittleEndian(credentials[4..]));
    }

    /// <summary>The request came by the unix socket.</summary>
    public static bool IsLocal(HttpContext context) => context.Features.Get<IConnectionSocketFeature>()?.Socket is { AddressFamily: AddressFamily.Unix };

    /// <summary>It asks for server-sent events, as a browser's EventSource does.</summary>
    public static bool WantsEvents(HttpRequest request) => request.Headers.Accept.Any(accept => accept?.Contains("text/event-stream", StringComparison.OrdinalIgnoreCase) == true);

    /// <summary>For what depends on the request's content: whoever came over the network has to have this role.</summary>
    /// <exception cref="ChangeRefusedException">He has not.</exception>
    public static void Require(HttpContext context, Role role, string toDo)
    {
        if (!IsLocal(context) && (Identities.RoleOf(context.User) is not { } has || has < role))
            throw new ChangeRefusedException(RefusalKind.Forbidden, $"To {toDo} needs the role {Roles.Word(role)}; yours is {(Identities.RoleOf(context.User) is { } yours ? Roles.Word(yours) : "none")}.");
    }

    private static string NameOf(uint user)
    {
        try
        {
            foreach (var line in File.ReadLines("/etc/passwd"))
            {
                if (line.Split(':') is [var name, _, var id, ..] && uint.TryParse(id, out var value) && value == user)
                    return name;
            }
        }
        catch (IOException)
        {
            // Without /etc/passwd the number has to do.
        }
        return $"uid {user}";
    }
}
