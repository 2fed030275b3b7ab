using Provisioner.Resources;

namespace Provisioner.Auth;

/// <summary>What somebody may do; each may do what those before it may.</summary>
public enum Role
{
    /// <summary>Sees everything but secrets, changes nothing.</summary>
    Viewer,

    /// <summary>Registers, builds and retires hosts.</summary>
    Operator,

    /// <summary>Profiles, images, networks, clusters, the authority, people.</summary>
    Admin,
}

/// <summary>Roles by their words, which are also the names of the policies endpoints ask for.</summary>
internal static class Roles
{
    public const string Viewer = "viewer";
    public const string Operator = "operator";
    public const string Admin = "admin";

    public static ScalarKind<Role> Kind { get; } = Values.OneOf("a role", (Viewer, Role.Viewer), (Operator, Role.Operator), (Admin, Role.Admin));

    public static string Word(Role role) => role switch { Role.Viewer => Viewer, Role.Operator => Operator, _ => Admin };

    /// <summary>The role and all it includes.</summary>
    public static IEnumerable<Role> Included(Role role) => Enum.GetValues<Role>().Where(r => r <= role);
}
