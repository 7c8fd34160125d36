#!/usr/bin/perl
# scimctl does what its help says, on a store that nginx serves at the same moment: what it has committed holds for the next
# request, it never leaves a file that the workers cannot open, and it never changes what nginx's configuration decided.

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

# The JSON that a command prints; dies if it fails.
sub said {
    my ($exit, $out, $err) = $t->scimctl(@_, '--json');
    $exit == 0 && $out =~ /\A\{.*\}\n\z/ or die "scimctl @_: $exit: $out$err";
    return $json->decode($out);
}

# A command fails with this exit code and sentence, and says nothing else; with --json it says the same as JSON.
sub fails {
    my ($exit, $sentence, @command) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @text = $t->scimctl(@command);
    my @json = $t->scimctl(@command, '--json');
    my $error = eval { $json->decode($json[2])->{error} } // '';
    ok $text[0] == $exit && $text[1] eq '' && $text[2] =~ /\Ascimctl: .*$sentence.*\n\z/
        && $json[0] == $exit && $json[1] eq '' && $error =~ $sentence, "scimctl @command: $exit, $sentence"
        or diag explain [\@text, \@json];
}

# The sizes of the map in the two meta pages (LMDB 0.9: 16 bytes of page header, magic, version, address).
sub map_sizes {
    open my $f, '<:raw', "$t->{store}/data.mdb" or die "data.mdb: $!";
    sysread $f, my $bytes, 8192;
    return map { unpack 'Q<', substr $bytes, $_ + 32, 8 } 0, 4096;
}

# --- usage

{
    my @help = (
        [[], qr/tenant.*token.*get.*verify.*Exit status/s], [['tenant'], qr/add.*list.*remove/s],
        [['token'], qr/create.*list.*revoke.*rotate/s], [[qw(tenant add)], qr/NAME/], [[qw(tenant list)], qr/live tokens/],
        [[qw(tenant remove)], qr/--yes.*--resume/s], [[qw(token create)], qr/--label.*--scope.*--not-before.*--expires.*--sha256/s],
        [[qw(token list)], qr/--tenant/], [[qw(token revoke)], qr/TOKEN/], [[qw(token rotate)], qr/--overlap.*24h/s],
        [['get'], qr/TYPE.*ID.*--base-url/s], [['verify'], qr/index row/],
    );
    for (@help) {
        my ($command, $pattern) = @$_;
        my ($exit, $out, $err) = $t->scimctl(@$command, '--help');
        ok $exit == 0 && $err eq '' && $out =~ $pattern, "scimctl @$command --help" or diag "$exit $out$err";
    }
    fails 2, qr/subcommand/, 'token';
    fails 2, qr/there is no command "nosuch"; see/, @$_ for [qw(nosuch)], [qw(token nosuch)], [qw(tenant nosuch)];
    fails 2, qr/--base-url.*has a blank, a quote or another character/, @$_, '--base-url', 'https://x/"y'
        for [qw(get --tenant acme User x)], [qw(find --tenant acme x)];
    fails 2, qr/--tenant is required/, qw(token list);
    fails 2, qr/--label is required/, qw(token create --tenant acme);
    fails 2, qr/--scope.*all/, qw(token create --tenant acme --label a --scope all);
    fails 2, qr/--expires.*"soon" is no time/, qw(token create --tenant acme --label a --expires soon);
    fails 2, qr/--not-before.*"2026-02-30" is no time/, qw(token create --tenant acme --label a --not-before 2026-02-30);
    fails 2, qr/--overlap.*"1 day" is no duration/, qw(token rotate --tenant acme a --overlap), '1 day';
    fails 2, qr/64 hexadecimal digits/, qw(token create --tenant acme --label a --sha256 abc);
    fails 2, qr/--nonsense/, qw(tenant list --nonsense);
    fails 2, qr/NAME or --resume/, qw(tenant remove --yes);
    fails 2, qr/say --yes/, qw(tenant remove acme);
    my ($exit, $out, $err) = $t->run('', $ENV{TEST_SCIMCTL}, qw(--help));
    like $out, qr{--store TEXT.*/var/lib/nginx/scim}, '--store has a default';
    is_deeply [$t->run('', $ENV{TEST_SCIMCTL}, @$_)], [0, $out, ''], "scimctl @$_ prints the help" for [], ['help'];
    is_deeply [$t->run('', $ENV{TEST_SCIMCTL}, qw(help token create))], [$t->run('', $ENV{TEST_SCIMCTL}, qw(token create -h))],
        'scimctl help token create prints that command\'s help';
    like +($t->run('', $ENV{TEST_SCIMCTL}, $_))[1], qr/\Ascimctl \d+\.\d+\.\d+\S*\n\z/, "$_ prints the version" for qw(--version -V);
}

# --- where there is no store

fails 3, qr{there is no directory ".*/store"; nginx makes it at its start}, qw(tenant add acme);
mkdir $t->{store}, 0700 or die;
fails 3, qr/there is no store in ".*" yet/, qw(tenant list);
is join(' ', glob "$t->{store}/*"), '', 'which leaves nothing there';
$t->write_file('store/notes.txt', 'x');
fails 3, qr/has other files and no store/, qw(tenant add acme);
unlink "$t->{store}/notes.txt";
{
    local $t->{store} = $t->write_file('plain', 'x');
    fails 3, qr/is not a directory/, qw(tenant list);
}

# --- whose files they are

SKIP: {
    my ($name, undef, $uid, $gid) = getpwnam 'nobody';
    $> == 0 && $uid or skip 'needs root and a user nobody', 12;
    local $t->{store} = "$t->{dir}/owned";
    mkdir $t->{store}, 0700;
    chown $uid, $gid, $t->{store};
    umask 0022;
    is +($t->scimctl(qw(tenant add acme)))[0], 0, 'root makes a store in a directory of nobody';
    is_deeply [map { my @s = stat "$t->{store}/$_.mdb"; sprintf '%s %o', $s[4], $s[2] & 07777 } qw(data lock)],
        ["$uid 600", "$uid 600"], 'whose files are nobody\'s';

    # As nobody, on nobody's and on root's.
    my $tool = "$t->{dir}/scimctl";
    File::Copy::copy($ENV{TEST_SCIMCTL}, $tool) or die;
    chmod 0755, $tool;
    my $as_nobody = sub {
        return $t->run('', $^X, '-MPOSIX', '-e', 'POSIX::setgid(shift); POSIX::setuid(shift); exec @ARGV or die', $gid, $uid,
            $tool, @_);
    };
    my ($exit, $out, $err) = $as_nobody->('--store', $t->{store}, qw(tenant list));
    ok $exit == 0 && $out =~ /^acme  active/, 'nobody may use it' or diag "$exit $out$err";
    mkdir "$t->{dir}/roots", 0755;
    ($exit, $out, $err) = $as_nobody->('--store', "$t->{dir}/roots", qw(tenant add acme));
    ok $exit == 3 && $err =~ /belongs to root; run: sudo -u root scimctl/, 'but not a store of root\'s' or diag "$exit $out$err";
    is join(' ', glob "$t->{dir}/roots/*"), '', 'and leaves nothing there';
    $t->scimctl(qw(token create --tenant acme --label a));
    is +($t->scimctl('verify'))[0], 0, 'and what root adds is sound';

    # The directory is root's and the workers' group may write to it.
    chown 0, $gid, $t->{store};
    chmod 0770, $t->{store};
    unlink "$t->{store}/lock.mdb";
    is +($t->scimctl(qw(tenant add other)))[0], 0, 'whose a store is says data.mdb';
    is_deeply [map +(stat "$t->{store}/$_.mdb")[4], qw(data lock)], [$uid, $uid], 'and the lock is the same user\'s';
    ($exit, $out, $err) = $as_nobody->('--store', $t->{store}, qw(tenant list));
    ok $exit == 0 && $out =~ /^other  active/m, 'who may use it' or diag "$exit $out$err";
    chown $uid, $gid, $t->{store};
    chown 0, 0, "$t->{store}/data.mdb";
    fails 3, qr/data\.mdb" belongs to root and its directory to nobody/, qw(tenant list);
    local $t->{store} = "$t->{dir}/groups";
    mkdir $t->{store};
    chown 0, $gid, $t->{store};
    chmod 0770, $t->{store};
    fails 3, qr/belongs to root: nginx's workers could not open a store.*chown www-data.*start nginx first/, qw(tenant add acme);
    is join(' ', glob "$t->{store}/*"), '', 'and leaves nothing there, either';
}

# --- tenants and tokens, with nginx running

$t->start;
$t->own_by_root;
my ($exit, $out, $err) = $t->scimctl(qw(tenant add acme));
is "$exit $out$err", "0 Tenant acme added.\n", 'tenant add, while nginx prepares the store or before or after that';
($exit, $out, $err) = $t->scimctl(qw(tenant add acme));
is "$exit $out$err", "0 Tenant acme exists already.\n", 'once more';
is_deeply said(qw(tenant add acme)), { tenant => 'acme', number => 1, existed => JSON::PP::true }, 'in JSON';
fails 1, qr/the name "\Q$_\E" is not one of a tenant.* begin with a letter or digit/, qw(tenant add), $_ for qw(. _a);
for my $name (qw(-x --yes)) {
    ($exit, $out, $err) = $t->scimctl(qw(tenant add --), $name);
    ok $exit == 1 && $err =~ /the name "$name" is not one of a tenant/, "nor is $name" or diag "$exit $out$err";
}
fails 1, qr/the name "a b" is not one of a tenant/, qw(tenant add), 'a b';

my $users = '/scim/v2/Users';
sub status { my ($token, $method, %o) = @_; return $t->request($method // 'GET', $users, token => $token, %o)->{status} }

($exit, $out, $err) = $t->scimctl(qw(token create --tenant acme --label okta));
ok $exit == 0 && $err eq '' && $out =~ /^Token 1 "okta" of tenant acme \(read, write\)\. .*\n(scim_[0-9A-Za-z]{49})\n\z/,
    'token create shows it in the last line' or diag "$exit $out$err";
my $token = $1;
$t->served($users, token => $token);
is status($token, 'POST', json => Scim::user('ada')), 201, 'and nginx takes it at once';
fails 1, qr/has a live token 1 "okta"/, qw(token create --tenant acme --label okta);
fails 1, qr/there is no tenant "nobody"; the tenants are "acme"/, qw(token create --tenant nobody --label okta);
fails 1, qr/there is no tenant "amce"; did you mean "acme"\?/, @$_ for [qw(token create --tenant amce --label okta)],
    [qw(find --tenant amce x)];
fails 1, qr/the label "7" has digits alone/, qw(token create --tenant acme --label 7);
fails 1, qr/would have expired at 2001-01-01T00:00:00.000Z/, qw(token create --tenant acme --label x --expires 2001-01-01);

my $read = said(qw(token create --tenant acme --label reader --scope read --expires 90d));
is_deeply [@$read{qw(tenant number label state)}, "@{ $read->{scopes} }"], ['acme', 2, 'reader', 'live', 'read'], 'for reading';
is status($read->{token}), 200, 'reads';
is status($read->{token}, 'POST', json => Scim::user('bob')), 403, 'and does not write';
my ($year, $month, @rest) = $read->{expires} =~ /^(\d+)-(\d+)-(\d+)T(\d+):(\d+):(\d+)\.\d{3}Z\z/;
cmp_ok abs(timegm(reverse(@rest), $month - 1, $year) - time - 90 * 86400), '<', 600, 'for 90 days';
is +($t->scimctl(qw(log --tenant acme --since 1y)))[0], 0, '1y is a duration';
is status(said(qw(token create --tenant acme --label later --not-before 2d))->{token}), 401, 'one that is not valid yet';

my $foreign = 'a-secret-of-our-own-of-32-or-more-characters';
my @foreign = (qw(token create --tenant acme --label foreign --sha256), sha256_hex($foreign));
($exit, $out, $err) = $t->scimctl(@foreign);
is "$exit $out$err", qq(0 Token 4 "foreign" of tenant acme (read, write) added.\n), 'a token that was made elsewhere';
ok said(@foreign)->{existed}, 'once more';
is status($foreign) . status("${foreign}x"), '200401', 'authenticates, and no other does';
$t->scimctl(qw(tenant add other));
fails 1, qr/this token is known already/, qw(token create --tenant other --label x --sha256), sha256_hex($foreign);

my $next = said(qw(token rotate --tenant acme okta));
is_deeply [@$next{qw(number label)}, $next->{old}{number}], [5, 'okta', 1], 'rotate';
is status($token) . status($next->{token}), '200200', 'both are good';
fails 1, qr/token 1 "okta" was rotated already: its successor is number 5/, qw(token rotate --tenant acme 1);
my $last = said(qw(token rotate --tenant acme okta --overlap 0s));
is status($token) . status($next->{token}) . status($last->{token}), '200401200', 'without an overlap the old one ends';

($exit, $out, $err) = $t->scimctl(qw(token revoke --tenant acme 1));
like "$exit $out$err", qr/^0 Token 1 "okta" of tenant acme revoked\.\n\z/, 'revoke by number';
is status($token) . status($last->{token}), '401200', 'is exact';
like $t->request(GET => $users, token => $token)->{json}{detail}, qr/"okta" was revoked at/, 'and explained';
($exit, $out, $err) = $t->scimctl(qw(token revoke --tenant acme 1));
like "$exit $out$err", qr/^0 Token 1 "okta" of tenant acme was revoked at .*\n\z/, 'once more';
is scalar @{ said(qw(token revoke --tenant acme okta))->{tokens} }, 3, 'revoke by label';
is status($last->{token}), 401, 'means all of it';
fails 1, qr/has no token "nobody"/, qw(token revoke --tenant acme nobody);
is join(' ', map "$_->{number}:$_->{state}", @{ said(qw(token list --tenant acme))->{tokens} }),
    '1:revoked 2:live 3:not yet valid 4:live 5:revoked 6:revoked', 'token list';
($exit, $out, $err) = $t->scimctl(qw(token list --tenant acme));
like $out, qr/^Token 2 "reader" of tenant acme \(read\), expires \S+: live, created \S+, last used \S+\n/m, 'in words';
unlike $out, qr/scim_/, 'never shows a token';
is_deeply [map [@$_{qw(tenant state liveTokens)}, $_->{resources}{User}], @{ said(qw(tenant list))->{tenants} }],
    [['acme', 'active', 2, 1], ['other', 'active', 0, 0]], 'tenant list';

SKIP: {
    -w '/dev/full' or skip 'no /dev/full', 1;
    my ($exit, undef, $err) = $t->run('', 'sh', '-c', 'exec "$@" >/dev/full', 'sh', $ENV{TEST_SCIMCTL}, '--store', $t->{store},
        qw(token create --tenant acme --label unseen));
    ok $exit == 3 && $err =~ /is made but was not shown: revoke it/, 'a token that could not be shown' or diag "$exit $err";
}

# --- get

$token = $t->token('acme', label => 'get');
my $ada = $t->request(GET => $users, token => $token)->{json}{Resources}[0];
my $served = $t->request(GET => "$users/$ada->{id}", token => $token);
my ($base) = $ada->{meta}{location} =~ m{^(.*)/Users/};
for my $type (qw(User Users)) {
    ($exit, $out, $err) = $t->scimctl(qw(get --tenant acme --base-url), "$base/", $type, $ada->{id});
    is "$exit $out$err", "0 $served->{body}\n", "get $type says what the server says";
}
is said(qw(get --tenant acme User), $ada->{id})->{meta}{location}, "/Users/$ada->{id}", 'without a base URL';
fails 1, qr/there is no User/, qw(get --tenant acme User 01900000-0000-7000-8000-000000000000);
fails 1, qr/there is no User/, qw(get --tenant other User), $ada->{id};
fails 1, qr/"..\/x" is not the id of a resource; scimctl find --tenant acme prints ids/, qw(get --tenant acme User ../x);
fails 1, qr/there is no resource type "usr"; did you mean "User"\?/, qw(get --tenant acme usr), $ada->{id};
fails 1, qr/there is no resource type "Robot"; the types are User, Group/, qw(get --tenant acme Robot), $ada->{id};
fails 1, qr/there is no tenant "nobody"/, qw(get --tenant nobody User), $ada->{id};

# --- verify, beside writers

my $pid = fork // die;
if (!$pid) {
    my $client = $t->client(token => $token);
    my $bad = grep $client->request(POST => $users, json => Scim::user("user$_"))->{status} != 201, 1 .. 300;
    POSIX::_exit($bad ? 1 : 0);
}
my ($runs, $problems, $largest, $done) = (0, 0, 0, 0);
until ($done) {
    $done = waitpid($pid, POSIX::WNOHANG) == $pid;
    is $?, 0, 'users are made' if $done;
    my $report = said('verify');
    $runs++;
    $problems += $report->{problemCount};
    $largest = $report->{counts}{resources};
}
is $problems, 0, "verify finds nothing, however often it looks at a store that changes ($runs times)";
is $largest, 301, 'and in the end has seen all';
($exit, $out, $err) = $t->scimctl('verify');
like $out, qr/^Checked 2 tenants, .*301 resources.*\.\nNo problem found\.\n\z/, 'in words';
my ($epoch) = ($t->poke(qw(meta auth_epoch)))[1] =~ /(\d+)/;
$t->poke(qw(meta auth_epoch many));
($exit, $out, $err) = $t->scimctl('verify');
is "$exit $err", '1 ', 'damage is exit code 1';
like $out, qr/^meta: auth_epoch: "many" is no number\n.*\n1 problem found\.\n\z/s, 'and named';
my $report = $json->decode(($t->scimctl('verify', '--json'))[1]);
is_deeply $report->{problems}, [{ database => 'meta', key => 'auth_epoch', problem => '"many" is no number' }], 'in JSON, too';
$t->poke(qw(meta auth_epoch), $epoch + 1);

# --- tenant remove

my $others = $t->token('other');
is status($others, 'POST', json => Scim::user('ada')), 201, 'another tenant';
fails 1, qr/there is no tenant "nobody"/, qw(tenant remove nobody --yes);
is_deeply said(qw(tenant remove --resume)), { removed => [] }, 'nothing to resume';
($exit, $out, $err) = $t->scimctl(qw(tenant remove acme --yes));
is "$exit $out$err", "0 Tenant acme removed.\n", 'tenant remove';
is status($token) . status($others), '401200', 'its tokens are nobody\'s, the other\'s stay';
$report = said('verify');
is_deeply [@{ $report->{counts} }{qw(tenants resources removing unsweptRows)}, $report->{problemCount}], [1, 1, 0, 0, 0],
    'nothing is left of it';
is said(qw(tenant add acme))->{number}, 3, 'its name comes back, its number does not';

# Wherever it is interrupted, it is resumed: killed before it may write, or as soon as the tenant is marked.
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
    is $before->{problemCount}, 0, 'an interrupted removal is no problem';
    said($before->{counts}{removing} ? qw(tenant remove --resume) : qw(tenant remove acme --yes))
        if grep $_->{tenant} eq 'acme', @{ said(qw(tenant list))->{tenants} };
    is_deeply [map $_->{tenant}, @{ said(qw(tenant list))->{tenants} }], ['other'], 'and can be brought to its end';
    $t->tenant('acme');
}
is said('verify')->{problemCount}, 0, 'the store is sound';

# --- what nginx decided

is_deeply [map_sizes()], [(64 << 20) x 2], 'size=64m is still the size of the map';
my $schema = $t->write_file('acme.json', $json->encode({ id => 'urn:x:acme:2.0:User', name => 'Acme',
    attributes => [{ name => 'badge', type => 'string', multiValued => JSON::PP::false }] }));
$t->conf(undef, http => 'scim_store main %%DIR%%/store size=8g; scim_schema %%DIR%%/acme.json;');
$t->reload(gone => 1);
$token = $t->token('acme', label => 'large');
is status($token, 'POST', json => Scim::user('large')), 201, 'size=8g';
$t->scimctl(qw(tenant add third)) for 1 .. 2;
is_deeply [map_sizes()], [(8 << 30) x 2], 'is still 8 GiB after scimctl has written';
my $c = $t->client(token => $token);
my $badge = { 'urn:x:acme:2.0:User' => { badge => '7' } };
my $r = $c->request(POST => $users, json => Scim::user('badge', %$badge));
is_deeply $r->{json}{'urn:x:acme:2.0:User'}, { badge => '7' }, 'an extension that nginx declares';
is_deeply said(qw(get --tenant acme User), $r->{json}{id})->{'urn:x:acme:2.0:User'}, { badge => '7' }, 'is known to scimctl';
is_deeply $c->request(GET => "$users/$r->{json}{id}")->{json}{'urn:x:acme:2.0:User'}, { badge => '7' }, 'and not undone by it';
is said('verify')->{problemCount}, 0, 'the store is sound';

# --- a newer format

$t->poke(qw(meta min_writer 99));
fails 3, qr/needs a version that knows format 99/, qw(tenant add fourth);
fails 3, qr/needs a version that knows format 99/, qw(token create --tenant acme --label x);
($exit, $out, $err) = $t->scimctl(qw(tenant list));
ok $exit == 0 && $out =~ /^acme  active/m && $err =~ /^scimctl: warning: .* it is served read-only/, 'can be read' or diag "$exit $out$err";
$t->poke(qw(meta min_reader 99));
fails 3, qr/needs a version that knows format 99/, qw(tenant list);
$t->poke('meta', $_, 1) for qw(min_reader min_writer);

$t->finish;
