#!/usr/bin/perl
# scimctl does what its help says, on a store that nginx serves at the same time: what it commits is used from the next
# request on, it leaves no file that the workers cannot open, and it does not change the map size or the schemas that nginx
# has set.

use strict;
use warnings;
use Digest::SHA qw(sha256_hex);
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Copy ();
use POSIX ();
use Test::More;
use Time::Local qw(timegm);
use Scim;

my $json = $Scim::json;
my $t = Scim->new(http => 'scim_store main %%DIR%%/store size=64m;', server => 'location /scim/v2/ { scim main; }');

# The decoded JSON output of a command; dies if the command fails.
sub said {
    my ($exit, $out, $err) = $t->scimctl(@_, '--json');
    $exit == 0 && $out =~ /\A\{.*\}\n\z/ or die "scimctl @_: $exit: $out$err";
    return $json->decode($out);
}

# Checks that a command fails with this exit code and sentence and prints nothing else; with --json the sentence is in JSON.
sub fails {
    my ($exit, $sentence, @command) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @text = $t->scimctl(@command);
    my @json = $t->scimctl(@command, '--json');
    my $error = eval { $json->decode($json[2])->{error} } // '';
    ok $text[0] == $exit && $text[1] eq '' && $text[2] =~ /\Ascimctl: .*$sentence.*\n\z/
        && $json[0] == $exit && $json[1] eq '' && $error =~ $sentence,
            "scimctl @command exits with $exit and $sentence, as text and as JSON"
        or diag explain [\@text, \@json];
}

# The map sizes in the two meta pages of data.mdb (LMDB 0.9: 16 bytes of page header, then magic, version, address, map
# size).
sub map_sizes {
    open my $f, '<:raw', "$t->{store}/data.mdb" or die "data.mdb: $!";
    sysread $f, my $bytes, 8192;
    return map { unpack 'Q<', substr $bytes, $_ + 32, 8 } 0, 4096;
}

# --- usage

{
    my @help = (
        [[], qr/tenant.*token.*get.*verify.*Exit status/s], [['tenant'], qr/add.*list.*disable.*enable.*remove/s],
        [['token'], qr/create.*list.*show.*revoke.*rotate/s], [[qw(tenant add)], qr/NAME/], [[qw(tenant list)], qr/live tokens/],
        [[qw(tenant remove)], qr/--yes.*--resume/s], [[qw(token create)], qr/--label.*--scope.*--not-before.*--expires.*--sha256/s],
        [[qw(token list)], qr/--tenant/], [[qw(token revoke)], qr/TOKEN/], [[qw(token rotate)], qr/--overlap.*24h/s],
        [['get'], qr/TYPE.*RESOURCE.*--base-url/s], [['verify'], qr/index row/], [['reindex'], qr/NAME.*type=substring/s],
    );
    for (@help) {
        my ($command, $pattern) = @$_;
        my ($exit, $out, $err) = $t->scimctl(@$command, '--help');
        ok $exit == 0 && $err eq '' && $out =~ $pattern,
            "scimctl @$command --help describes the command and exits with 0" or diag "$exit $out$err";
    }
    fails 2, qr/a command is required; see scimctl token --help/, 'token';
    fails 2, qr/there is no command "nosuch"; see scimctl --help/, 'nosuch';
    fails 2, qr/there is no command "nosuch"; see scimctl $_ --help/, $_, 'nosuch' for qw(token tenant);
    fails 2, qr/--base-url.*contains a blank, a quote or another character/, @$_, '--base-url', 'https://x/"y'
        for [qw(get --tenant acme User x)], [qw(find --tenant acme x)];
    fails 2, qr/--tenant is required; see scimctl token list --help/, qw(token list);
    fails 2, qr/--label is required/, qw(token create --tenant acme);
    fails 2, qr/--scope.*all/, qw(token create --tenant acme --label a --scope all);
    fails 2, qr/--expires.*"soon" is not a time/, qw(token create --tenant acme --label a --expires soon);
    fails 2, qr/--not-before.*"2026-02-30" is not a time/, qw(token create --tenant acme --label a --not-before 2026-02-30);
    fails 2, qr/--overlap.*"1 day" is not a duration/, qw(token rotate --tenant acme a --overlap), '1 day';
    fails 2, qr/64 hexadecimal digits/, qw(token create --tenant acme --label a --sha256 abc);
    fails 2, qr/--nonsense/, qw(tenant list --nonsense);
    fails 2, qr/NAME or --resume/, qw(tenant remove --yes);
    fails 2, qr/confirm with --yes/, qw(tenant remove acme);
    my ($exit, $out, $err) = $t->run('', $ENV{TEST_SCIMCTL}, qw(--help));
    like $out, qr{--store TEXT.*/var/lib/nginx/scim}, 'scimctl --help names the default of --store';
    is_deeply [$t->run('', $ENV{TEST_SCIMCTL}, @$_)], [0, $out, ''], "scimctl @$_ prints the help" for [], ['help'];
    is_deeply [$t->run('', $ENV{TEST_SCIMCTL}, qw(help token create))], [$t->run('', $ENV{TEST_SCIMCTL}, qw(token create -h))],
        'scimctl help token create prints the help of token create';
    like +($t->run('', $ENV{TEST_SCIMCTL}, $_))[1], qr/\Ascimctl \d+\.\d+\.\d+\S*\n\z/,
        "scimctl $_ prints the version" for qw(--version -V);
}

# --- no store

fails 3, qr{the directory ".*/store" does not exist; nginx creates it when it starts}, qw(tenant add acme);
mkdir $t->{store}, 0700 or die;
fails 3, qr/there is no store in ".*" yet/, qw(tenant list);
is join(' ', glob "$t->{store}/*"), '', 'tenant list leaves no file in a directory without a store';
$t->write_file('store/notes.txt', 'x');
fails 3, qr/contains other files and no store/, qw(tenant add acme);
unlink "$t->{store}/notes.txt";
{
    local $t->{store} = $t->write_file('plain', 'x');
    fails 3, qr/is not a directory/, qw(tenant list);
}

# --- the owner of the store's files

SKIP: {
    my ($name, undef, $uid, $gid) = getpwnam 'nobody';
    $> == 0 && $uid or skip 'needs root and a user nobody', 12;
    local $t->{store} = "$t->{dir}/owned";
    mkdir $t->{store}, 0700;
    chown $uid, $gid, $t->{store};
    umask 0022;
    is +($t->scimctl(qw(tenant add acme)))[0], 0, 'tenant add as root makes a store in a directory of the user nobody';
    is_deeply [map { my @s = stat "$t->{store}/$_.mdb"; sprintf '%s %o', $s[4], $s[2] & 07777 } qw(data lock)],
        ["$uid 600", "$uid 600"], 'the files of a store in a directory of nobody belong to nobody and have mode 600';

    # scimctl as the user nobody, on a store of nobody and on a directory of root
    my $tool = "$t->{dir}/scimctl";
    File::Copy::copy($ENV{TEST_SCIMCTL}, $tool) or die;
    chmod 0755, $tool;
    my $as_nobody = sub {
        return $t->run('', $^X, '-MPOSIX', '-e', 'POSIX::setgid(shift); POSIX::setuid(shift); exec @ARGV or die', $gid, $uid,
            $tool, @_);
    };
    my ($exit, $out, $err) = $as_nobody->('--store', $t->{store}, qw(tenant list));
    ok $exit == 0 && $out =~ /^acme +active/m, 'the user nobody may use a store of nobody' or diag "$exit $out$err";
    mkdir "$t->{dir}/roots", 0755;
    ($exit, $out, $err) = $as_nobody->('--store', "$t->{dir}/roots", qw(tenant add acme));
    ok $exit == 3 && $err =~ /belongs to root; run: sudo -u root scimctl/,
        'the user nobody may not make a store in a directory of root, and is told the command' or diag "$exit $out$err";
    is join(' ', glob "$t->{dir}/roots/*"), '', 'a refused tenant add leaves no file in a directory of root';
    $t->scimctl(qw(token create --tenant acme --label a));
    is +($t->scimctl('verify'))[0], 0, 'verify finds no error after root has added a token to a store of nobody';

    # A directory of root that the group of the workers may write to
    chown 0, $gid, $t->{store};
    chmod 0770, $t->{store};
    unlink "$t->{store}/lock.mdb";
    is +($t->scimctl(qw(tenant add other)))[0], 0,
        'tenant add as root succeeds where the directory belongs to root and data.mdb to nobody';
    is_deeply [map +(stat "$t->{store}/$_.mdb")[4], qw(data lock)], [$uid, $uid], 'a new lock.mdb has the owner of data.mdb';
    ($exit, $out, $err) = $as_nobody->('--store', $t->{store}, qw(tenant list));
    ok $exit == 0 && $out =~ /^other  active/m,
        'the user nobody may use the store after root has made its lock.mdb' or diag "$exit $out$err";
    chown $uid, $gid, $t->{store};
    chown 0, 0, "$t->{store}/data.mdb";
    fails 3, qr/data\.mdb" belongs to root and its directory to nobody/, qw(tenant list);
    local $t->{store} = "$t->{dir}/groups";
    mkdir $t->{store};
    chown 0, $gid, $t->{store};
    chmod 0770, $t->{store};
    fails 3, qr/belongs to root: nginx's workers could not open a store.*chown www-data.*start nginx first/, qw(tenant add acme);
    is join(' ', glob "$t->{store}/*"), '',
        'a refused tenant add leaves no file in a directory of root that its group may write to';
}

# --- tenants and tokens while nginx runs

$t->start;
$t->own_by_root;
my ($exit, $out, $err) = $t->scimctl(qw(tenant add acme));
is "$exit $out$err", "0 Tenant acme added.\n", 'tenant add adds a tenant at any time of the start of nginx';
($exit, $out, $err) = $t->scimctl(qw(tenant add acme));
is "$exit $out$err", "0 Tenant acme exists already.\n",
    'tenant add of an existing tenant exits with 0 and says that it exists';
is_deeply said(qw(tenant add acme)), { tenant => 'acme', number => 1, existed => JSON::PP::true },
    'tenant add --json of an existing tenant prints its number and "existed"';
fails 1, qr/the name "\Q$_\E" is not a valid tenant name.* begin with a letter or digit/, qw(tenant add), $_ for qw(. _a);
for my $name (qw(-x --yes)) {
    ($exit, $out, $err) = $t->scimctl(qw(tenant add --), $name);
    ok $exit == 1 && $err =~ /the name "$name" is not a valid tenant name/,
        "tenant add refuses the name $name with exit code 1" or diag "$exit $out$err";
}
fails 1, qr/the name "a b" is not a valid tenant name/, qw(tenant add), 'a b';

my $users = '/scim/v2/Users';
sub status { my ($token, $method, %o) = @_; return $t->request($method // 'GET', $users, token => $token, %o)->{status} }

($exit, $out, $err) = $t->scimctl(qw(token create --tenant acme --label okta));
ok $exit == 0 && $err eq '' && $out =~ /^Token 1 "okta" of tenant acme \(read, write\)\. .*\n(scim_[0-9A-Za-z]{49})\n\z/,
    'token create prints the token in the last line' or diag "$exit $out$err";
my $token = $1;
$t->served($users, token => $token);
is status($token, 'POST', json => Scim::user('ada')), 201, 'nginx accepts a new token for a write at once';
fails 1, qr/has a live token 1 "okta"/, qw(token create --tenant acme --label okta);
fails 1, qr/there is no tenant "nobody"; the tenants are "acme"/, qw(token create --tenant nobody --label okta);
fails 1, qr/there is no tenant "amce"; did you mean "acme"\?/, @$_ for [qw(token create --tenant amce --label okta)],
    [qw(find --tenant amce x)];
fails 1, qr/the label "7" consists of digits only/, qw(token create --tenant acme --label 7);
fails 1, qr/would expire at 2001-01-01T00:00:00\.000Z/, qw(token create --tenant acme --label x --expires 2001-01-01);

my $read = said(qw(token create --tenant acme --label reader --scope read --expires 90d));
is_deeply [@$read{qw(tenant number label state)}, "@{ $read->{scopes} }"], ['acme', 2, 'reader', 'live', 'read'],
    'token create --scope read prints the attributes of the token';
is status($read->{token}), 200, 'a token with scope read may read';
is status($read->{token}, 'POST', json => Scim::user('bob')), 403, 'a token with scope read may not write';
my ($year, $month, @rest) = $read->{expires} =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.\d{3}Z\z/;
cmp_ok abs(timegm(reverse(@rest), $month - 1, $year) - time - 90 * 86400), '<', 600, '--expires 90d expires in 90 days';
is +($t->scimctl(qw(log --tenant acme --since 1y)))[0], 0, '--since 1y is accepted as a duration';
is status(said(qw(token create --tenant acme --label later --not-before 2d))->{token}), 401,
    'a token is refused with 401 before --not-before';

my $foreign = 'a-secret-of-our-own-of-32-or-more-characters';
my @foreign = (qw(token create --tenant acme --label foreign --sha256), sha256_hex($foreign));
($exit, $out, $err) = $t->scimctl(@foreign);
is "$exit $out$err", qq(0 Token 4 "foreign" of tenant acme (read, write) added.\n),
    'token create --sha256 adds a token that was made elsewhere';
ok said(@foreign)->{existed}, 'token create --sha256 with the same digest reports "existed"';
is status($foreign) . status("${foreign}x"), '200401', 'a token added by --sha256 is accepted, another one is refused';
$t->scimctl(qw(tenant add other));
fails 1, qr/this token already exists/, qw(token create --tenant other --label x --sha256), sha256_hex($foreign);

my $next = said(qw(token rotate --tenant acme okta));
is_deeply [@$next{qw(number label)}, $next->{old}{number}], [5, 'okta', 1],
    'token rotate makes a successor with the same label';
is status($token) . status($next->{token}), '200200', 'the rotated token and its successor are accepted during the overlap';
fails 1, qr/token 1 "okta" has already been rotated: its successor is number 5/, qw(token rotate --tenant acme 1);
my $last = said(qw(token rotate --tenant acme okta --overlap 0s));
is status($token) . status($next->{token}) . status($last->{token}), '200401200',
    'token rotate --overlap 0s ends the rotated token at once';

($exit, $out, $err) = $t->scimctl(qw(token revoke --tenant acme 1));
like "$exit $out$err", qr/^0 Token 1 "okta" of tenant acme revoked\.\n\z/, 'token revoke with a number revokes that token';
is status($token) . status($last->{token}), '401200',
    'token revoke with a number does not revoke other tokens with the label';
like $t->request(GET => $users, token => $token)->{json}{detail}, qr/"okta" was revoked at/,
    'the 401 of a revoked token says when it was revoked';
($exit, $out, $err) = $t->scimctl(qw(token revoke --tenant acme 1));
like "$exit $out$err", qr/^0 Token 1 "okta" of tenant acme was revoked at .*\n\z/,
    'token revoke of a revoked token exits with 0 and says when it was revoked';
is scalar @{ said(qw(token revoke --tenant acme okta))->{tokens} }, 3,
    'token revoke with a label lists all tokens with the label';
is status($last->{token}), 401, 'token revoke with a label revokes all tokens with the label';
fails 1, qr/has no token "nobody"/, qw(token revoke --tenant acme nobody);
is join(' ', map "$_->{number}:$_->{state}", @{ said(qw(token list --tenant acme))->{tokens} }),
    '1:revoked 2:live 3:not yet valid 4:live 5:revoked 6:revoked', 'token list --json prints the state of each token';
ok $t->wait_for(sub { grep { $_->{number} == 2 && $_->{lastUsed} } @{ said(qw(token list --tenant acme))->{tokens} } }, 20),
    'the use of a token is stored';  # by a task of the worker, after the answer
($exit, $out, $err) = $t->scimctl(qw(token list --tenant acme));
like $out, qr/\ANUMBER  LABEL +STATE +SCOPES +CREATED +EXPIRES +LAST USED +SUBJECT\n/, 'token list begins with the names of the columns';
like $out, qr/^2       reader +live +read +\d{4}-\S+ +\d{4}-\S+ +\d{4}-\S+ +-\n/m, 'token list prints a line for each token';
($exit, $out, $err) = $t->scimctl(qw(token show --tenant acme reader));
like "$exit $out$err", qr/^0 Token 2 "reader" of tenant acme\n  state: +live\n  scopes: +read\n  created: +\S+\n  expires: +\S+\n  last used: +\S+\n\z/,
    'token show prints what is known of a token';
is_deeply [map $_->{number}, @{ said(qw(token show --tenant acme okta))->{tokens} }], [1, 5, 6], 'token show with a label prints all tokens with the label';
fails 1, qr/has no token "nobody"/, qw(token show --tenant acme nobody);
unlike $out, qr/scim_/, 'token list prints no token';
is_deeply [map [@$_{qw(tenant state liveTokens)}, $_->{resources}{User}], @{ said(qw(tenant list))->{tenants} }],
    [['acme', 'active', 2, 1], ['other', 'active', 0, 0]],
        'tenant list --json prints the state, valid tokens and users of each tenant';
($exit, $out, $err) = $t->scimctl(qw(tenant list));
like $out, qr/\ANAME +STATE +CREATED +LIVE TOKENS +USER +GROUP +GATE\nacme +active +\S+ +2 +1 +0 +open\nother +active +\S+ +0 +0 +0 +open\n\z/,
    'tenant list prints a table';

# --- completion

{
    my ($exit, $script) = $t->scimctl('completion');
    my $complete = sub {
        my @words = ('scimctl', @_);
        my ($code, $words, $problem) = $t->run('', 'bash', '-c', $script . 'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _scimctl; echo "${COMPREPLY[*]}"',
            'bash', @words);
        is $problem, '', "bash runs the completion of \"@words\"";
        return $words;
    };
    is $complete->('tok'), "token\n", 'scimctl completion: commands are completed';
    is $complete->(qw(--json token r)), "revoke rotate\n", 'scimctl completion: the commands of a group are completed after an option';
    is $complete->(qw(token list --t)), "--tenant\n", 'scimctl completion: options are completed';
    is $complete->(qw(find --tenant acme --s)), "--store\n", 'scimctl completion: the options of all commands are completed after an argument';
}

SKIP: {
    -w '/dev/full' or skip 'no /dev/full', 1;
    my ($exit, undef, $err) = $t->run('', 'sh', '-c', 'exec "$@" >/dev/full', 'sh', $ENV{TEST_SCIMCTL}, '--store', $t->{store},
        qw(token create --tenant acme --label unseen));
    ok $exit == 3 && $err =~ /was created but could not be shown; revoke it/,
        'token create exits with 3 and names the token to revoke if it cannot print it' or diag "$exit $err";
}

# --- get

$token = $t->token('acme', label => 'get');
my $ada = $t->request(GET => $users, token => $token)->{json}{Resources}[0];
my $served = $t->request(GET => "$users/$ada->{id}", token => $token);
my ($base) = $ada->{meta}{location} =~ m{^(.*)/Users/};
for my $type (qw(User Users)) {
    ($exit, $out, $err) = $t->scimctl(qw(get --tenant acme --base-url), "$base/", $type, $ada->{id});
    is "$exit $out$err", "0 $served->{body}\n", "scimctl get $type prints the body that the server sends";
}
is said(qw(get --tenant acme User), $ada->{id})->{meta}{location}, "/Users/$ada->{id}",
    'scimctl get without --base-url prints a relative meta.location';
fails 1, qr/there is no User/, qw(get --tenant acme User 01900000-0000-7000-8000-000000000000);
fails 1, qr/there is no User/, qw(get --tenant other User), $ada->{id};
is said(qw(get --tenant acme user), $ada->{userName})->{id}, $ada->{id}, 'get finds a user by userName';
fails 1, qr/there is no User "..\/x"; scimctl find --tenant acme --type User lists/, qw(get --tenant acme User ../x);
fails 1, qr/there is no resource type "usr"; did you mean "User"\?/, qw(get --tenant acme usr), $ada->{id};
fails 1, qr/there is no resource type "Robot"; the types are User, Group/, qw(get --tenant acme Robot), $ada->{id};
fails 1, qr/there is no tenant "nobody"/, qw(get --tenant nobody User), $ada->{id};

# --- verify while a client writes

my $pid = fork // die;
if (!$pid) {
    my $client = $t->client(token => $token);
    my $bad = grep $client->request(POST => $users, json => Scim::user("user$_"))->{status} != 201, 1 .. 300;
    POSIX::_exit($bad ? 1 : 0);
}
my ($runs, $problems, $largest, $done) = (0, 0, 0, 0);
until ($done) {
    $done = waitpid($pid, POSIX::WNOHANG) == $pid;
    is $?, 0, 'a client creates 300 users while verify runs' if $done;
    my $report = said('verify');
    $runs++;
    $problems += $report->{problemCount};
    $largest = $report->{counts}{resources};
}
is $problems, 0, "verify finds no problem in $runs runs on a store that changes";
is $largest, 301, 'the last verify has counted all users';
($exit, $out, $err) = $t->scimctl('verify');
like $out, qr/^Checked 2 tenants, .*301 resources.*\.\nNo problem found\.\n\z/,
    'verify prints the counts and that no problem is found';
my ($epoch) = ($t->poke(qw(meta auth_epoch)))[1] =~ /(\d+)/;
$t->poke(qw(meta auth_epoch many));
($exit, $out, $err) = $t->scimctl('verify');
is "$exit $err", '1 ', 'verify exits with 1 if it finds a problem';
like $out, qr/^meta: auth_epoch: "many" is not a number\n.*\n1 problem found\.\n\z/s, 'verify prints the problem';
my $report = $json->decode(($t->scimctl('verify', '--json'))[1]);
is_deeply $report->{problems}, [{ database => 'meta', key => 'auth_epoch', problem => '"many" is not a number' }],
    'verify --json prints the problem';
$t->poke(qw(meta auth_epoch), $epoch + 1);

# --- tenant remove

my $others = $t->token('other');
is status($others, 'POST', json => Scim::user('ada')), 201, 'POST with a token of another tenant is answered with 201';
fails 1, qr/there is no tenant "nobody"/, qw(tenant remove nobody --yes);
is_deeply said(qw(tenant remove --resume)), { removed => [] }, 'tenant remove --resume has nothing to do';
($exit, $out, $err) = $t->scimctl(qw(tenant remove acme --yes));
is "$exit $out$err", "0 Tenant acme removed.\n", 'tenant remove removes the tenant';
is status($token) . status($others), '401200', 'a removal ends the tokens of the tenant and not those of another one';
$report = said('verify');
is_deeply [@{ $report->{counts} }{qw(tenants resources removing unsweptRows)}, $report->{problemCount}], [1, 1, 0, 0, 0],
    'verify finds no row of the removed tenant';
is said(qw(tenant add acme))->{number}, 3, 'a tenant with the name of a removed one has a new number';

# A removal can be resumed wherever it is interrupted: it is killed before it has the write lock, or after the tenant is
# marked.
for my $round (1 .. 5) {
    my $token = $t->token('acme', label => "round $round");
    my $c = $t->client(token => $token);
    $c->request(POST => $users, json => Scim::user("user$_")) for 1 .. 40;
    my $lock = $round % 2 ? $t->hold_lock : undef;
    my $pid = fork // die;
    if (!$pid) {
        open STDOUT, '>', '/dev/null';
        exec $ENV{TEST_SCIMCTL}, '--store', $t->{store}, qw(tenant remove acme --yes) or POSIX::_exit(127);
    }
    if ($lock) { $t->release($lock) }
    else {
        $t->wait_for(sub {
            my ($acme) = grep $_->{tenant} eq 'acme', @{ said(qw(tenant list))->{tenants} };
            return !$acme || $acme->{state} eq 'removing';
        });
    }
    kill KILL => $pid;
    waitpid $pid, 0;
    my $before = said('verify');
    is $before->{problemCount}, 0, "verify finds no problem after an interrupted removal (round $round)";
    said($before->{counts}{removing} ? qw(tenant remove --resume) : qw(tenant remove acme --yes))
        if grep $_->{tenant} eq 'acme', @{ said(qw(tenant list))->{tenants} };
    is_deeply [map $_->{tenant}, @{ said(qw(tenant list))->{tenants} }], ['other'],
        "an interrupted removal can be completed (round $round)";
    $t->tenant('acme');
}
is said('verify')->{problemCount}, 0, 'verify finds no problem after all removals';

# --- the map size and the schemas that nginx has set

is_deeply [map_sizes()], [(64 << 20) x 2], 'the map size is that of size=64m after scimctl has written';
my $schema = $t->write_file('acme.json', $json->encode({ id => 'urn:x:acme:2.0:User', name => 'Acme',
    attributes => [{ name => 'badge', type => 'string', multiValued => JSON::PP::false }] }));
$t->conf(undef, http => 'scim_store main %%DIR%%/store size=8g; scim_schema %%DIR%%/acme.json;');
$t->reload(gone => 1);
$token = $t->token('acme', label => 'large');
is status($token, 'POST', json => Scim::user('large')), 201, 'POST is answered with 201 after a reload with size=8g';
$t->scimctl(qw(tenant add third)) for 1 .. 2;
is_deeply [map_sizes()], [(8 << 30) x 2], 'the map size is that of size=8g after scimctl has written';
my $c = $t->client(token => $token);
my $badge = { 'urn:x:acme:2.0:User' => { badge => '7' } };
my $r = $c->request(POST => $users, json => Scim::user('badge', %$badge));
is_deeply $r->{json}{'urn:x:acme:2.0:User'}, { badge => '7' }, 'nginx returns an attribute of scim_schema';
is_deeply said(qw(get --tenant acme User), $r->{json}{id})->{'urn:x:acme:2.0:User'}, { badge => '7' },
    'scimctl get prints an attribute of scim_schema';
is_deeply $c->request(GET => "$users/$r->{json}{id}")->{json}{'urn:x:acme:2.0:User'}, { badge => '7' },
    'nginx returns an attribute of scim_schema after scimctl get';
is said('verify')->{problemCount}, 0, 'verify finds no problem in a store with scim_schema';

# --- a store of a newer format

$t->poke(qw(meta min_writer 99));
fails 3, qr/needs a version that knows format 99/, qw(tenant add fourth);
fails 3, qr/needs a version that knows format 99/, qw(token create --tenant acme --label x);
($exit, $out, $err) = $t->scimctl(qw(tenant list));
ok $exit == 0 && $out =~ /^acme +active/m && $err =~ /^scimctl: warning: .* it is served read-only/,
    'tenant list reads a store that it may not write, with a warning' or diag "$exit $out$err";
$t->poke(qw(meta min_reader 99));
fails 3, qr/needs a version that knows format 99/, qw(tenant list);
$t->poke('meta', $_, 2) for qw(min_reader min_writer);

$t->finish;
