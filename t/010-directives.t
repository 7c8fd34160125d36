#!/usr/bin/perl
# `nginx -t` accepts every good value of a directive and refuses every bad one with a sentence that quotes it; it never
# creates or changes a store, which only a start does. And the module shows nginx no more than it looks for.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;', server => 'location /scim/v2/ { scim main; }');
my $store = 'scim_store main %%DIR%%/store;';

sub location { return "location /scim/v2/ { scim main; $_[0] }" }

# --- the module

my ($exit, $symbols, $err) = $t->run('', qw(nm -D --defined-only), $ENV{TEST_NGINX_MODULE});
is $exit, 0, 'nm reads the module' or diag $err;
is join(' ', sort $symbols =~ / (\S+)$/mg), 'ngx_module_names ngx_module_order ngx_modules', 'it exports nothing else';

# --- scim_store

conf_good $t, 'the least', http => $store, server => location('');
conf_good $t, "size=$_", http => "scim_store main %%DIR%%/store size=$_;" for qw(1m 512m 16g 1048576);
conf_good $t, 'two stores', http => "$store scim_store other %%DIR%%/other;", server => location('');
conf_good $t, 'a relative path', http => 'scim_store main store;';
conf_bad $t, 'a name twice', qr/the name "main" is taken/, http => "$store scim_store main %%DIR%%/other;";
conf_bad $t, 'no name', qr/"scim_store": the name is empty in /, http => "scim_store '' %%DIR%%/store;";
conf_bad $t, 'an empty path', qr/"scim_store": the path of "main" is empty in /, http => "scim_store main '';";
conf_bad $t, "the path $_", qr{"scim_store": "[^"]*" is the root directory}, http => "scim_store main $_;"
    for qw(/ // /. /proc/..);
mkdir "$t->{dir}/there" or die;
symlink 'there', "$t->{dir}/link" or die;
conf_bad $t, "@$_ on one path", qr{the path "[^"]*" is the store "main" already},
    http => "scim_store main %%DIR%%/$_->[0]; scim_store other %%DIR%%/$_->[1];"
    for [qw(store store/)], [qw(store there/../store)], [qw(there there/.)], [qw(there there/../there/)], [qw(there link)];
conf_good $t, 'beside each other', http => 'scim_store main %%DIR%%/there; scim_store other %%DIR%%/there/../store;';
rmdir "$t->{dir}/there" && unlink "$t->{dir}/link" or die;
conf_bad $t, "size=$_", qr/"size=\Q$_\E" is not a size of 1m or more/, http => "scim_store main %%DIR%%/store size=$_;"
    for qw(0 1023k -1 lots 12x 131072g 900000000g), '';
conf_good $t, 'the largest size', http => 'scim_store main %%DIR%%/store size=131071g;';
conf_bad $t, 'an unknown parameter', qr/unknown parameter "siez=1g"; expected size=SIZE/,
    http => 'scim_store main %%DIR%%/store siez=1g;';
$t->write_file('plain', '');
conf_bad $t, 'no directory to make it in', qr{"[^"]*/no/store" cannot be made: there is no directory "[^"]*/no"},
    http => 'scim_store main %%DIR%%/no/store;';
conf_bad $t, 'in a file', qr{"[^"]*/plain/store" cannot be made: there is no directory "[^"]*/plain"},
    http => 'scim_store main %%DIR%%/plain/store;';
conf_bad $t, 'a file', qr{"[^"]*/plain" is not a directory}, http => 'scim_store main %%DIR%%/plain;';
conf_bad $t, 'no path', qr/invalid number of arguments in "scim_store"/, http => 'scim_store main;';
conf_bad $t, 'in a server', qr/"scim_store" directive is not allowed here/, server => 'scim_store main store;';

# --- scim

conf_bad $t, 'no such store', qr{there is no "scim_store main" in .*nginx\.conf:\d+}, server => location('');
conf_bad $t, 'twice', qr/"scim" directive is duplicate/, http => $store, server => location('scim main;');
conf_bad $t, 'in http', qr/"scim" directive is not allowed here/, http => "$store scim main;";
conf_bad $t, 'in a server', qr/"scim" directive is not allowed here/, http => $store, server => 'scim main;';
conf_bad $t, 'in an if', qr/"scim" directive is not allowed here/, http => $store,
    server => 'location / { if ($arg_a) { scim main; } }';
conf_bad $t, 'in a named location', qr/"scim" works in a location with a path only.* in .*nginx\.conf:\d+/, http => $store,
    server => 'location / { error_page 404 @scim; } location @scim { scim main; }';
my $regex = 'location ~ ^/t/(?<name>[a-z]+)/scim { scim main;';
conf_bad $t, 'a regex location', qr/regular expression needs "scim_base_url"/, http => $store, server => "$regex }";
conf_good $t, 'a regex location with a base', http => $store, server => "$regex scim_base_url http://a.b/t/\$name/scim; }";

# --- what is inherited: good in http, server and location; values

my @no_number = qw(ten -1 1.5 1k '' 99999999999999999999);
my %values = (
    scim_auth => [[qw(token)], [qw(jwt on)]],
    scim_scope => [[qw(read write)], [qw(all none)]],
    scim_profile => [[qw(default rfc)], [qw(entra)]],
    scim_tenant => [['acme', '$host', '"$host-x"', '${host}_x', 'a' x 255], ["''"]],
    scim_base_url => [
        [qw(https://id.example.com/scim/v2 http://id.example.com/scim/v2 https://$host/scim/v2 $host $scheme://$host/scim/v2),
            qw(http$arg_s://a.b/scim/v2 https://id.$host), '"${scheme}://a.b/scim/v2"', 'https://a.b/scim/v2/käse'],
        [qw(id.example.com /scim/v2 ftp://a.b/scim https:// https:///scim https://a.b/scim/ https://a.b/?x), 'https://a.b/s#x',
            "''", qw(ftp://$host scim$host https://$host/b/ https:///$host $host/ $host/?a /$host)]],
    scim_temp_path => [['%%DIR%%/answers', '%%DIR%%/answers 1 2', 'answers'], []],
    scim_max_results => [[1, 1000, 100000], [0, 100001, @no_number]],
    scim_max_operations => [[1, 1000, 100000], [0, 100001, @no_number]],
    scim_max_members => [[1, 20000, 1000000], [0, 1000001, @no_number]],
    scim_max_scan => [[1, 1000000, 1000000000], [0, 1000000001, @no_number]],
    scim_max_json_depth => [[4, 16, 64], [3, 65, @no_number]],
    scim_max_filter_depth => [[1, 32, 256], [0, 257, @no_number]],
);
my %sentence = (
    scim_base_url => sub { my $v = $_[0] =~ s/'//gr; qr/"scim_base_url" must be an absolute URL without a trailing slash.* not "\Q$v\E" in / },
    scim_tenant => sub { qr/"scim_tenant": the name is empty in / },
    scim_auth => sub { qr/"scim_auth": "$_[0]" is none of off, token in / },
    scim_scope => sub { qr/"scim_scope": "$_[0]" is none of read, write in / },
    scim_profile => sub { qr/"scim_profile": "$_[0]" is none of default, rfc in / },
    (map { my $d = $_; $_ => sub { my $v = $_[0] =~ s/'//gr; qr/"$d": "\Q$v\E" is not a number from \d+ to \d+/ } } grep /_max_/, keys %values),
);
for my $directive (sort keys %values) {
    my ($good, $bad) = @{ $values{$directive} };
    for my $value (@$good) {
        my $line = "$directive $value;";
        conf_good $t, "$line in http", http => "$store $line", server => location('');
        conf_good $t, "$line in server", http => $store, server => $line . location('');
        conf_good $t, "$line in location", http => $store, server => location($line);
    }
    for my $value (@$bad) {
        conf_bad $t, "$directive $value", $sentence{$directive}->($value), http => $store, server => location("$directive $value;");
    }
    conf_bad $t, "$directive twice", qr/"$directive" directive is duplicate/, http => $store,
        server => location("$directive $good->[0]; $directive $good->[0];");
    conf_bad $t, "$directive without a value", qr/invalid number of arguments in "$directive"/, http => $store,
        server => location("$directive;");
}
conf_good $t, 'scim_auth off with a tenant', http => $store, server => location('scim_auth off; scim_tenant acme;');
conf_good $t, 'whose tenant is inherited', http => "$store scim_tenant acme;", server => location('scim_auth off;');
conf_bad $t, 'scim_auth off without one', qr/"scim_auth off" needs "scim_tenant".* in .*nginx\.conf:\d+/, http => $store,
    server => location('scim_auth off;');
conf_bad $t, 'an unknown variable', qr/unknown "nosuch" variable/, http => $store, server => location('scim_tenant $nosuch;');

conf_bad $t, "scim_base_url $_", qr/"scim_base_url": ".*" has a blank, a quote or another character that no URL has in /,
    http => $store, server => location("scim_base_url $_;")
    for q('https://a b/c'), q('https://a/"b'), q('https://a/\\\\b'), q("https://$host/a b"), "https://a/\x7f", "https://a/\xff";
conf_bad $t, "scim_tenant $_", qr/"scim_tenant": ".*" is not the name of a tenant, which has 1 to 255 letters/, http => $store,
    server => location("scim_tenant $_;") for q('a b'), q("$host x"), 'a/b', 'a' x 256;
conf_bad $t, "scim_base_url $_->[1] in location $_->[0]", qr/no address of the location "\Q$_->[0]\E" is below the path ".*" of "scim_base_url"/,
    http => $store, server => "location $_->[0] { scim main; scim_base_url $_->[1]; }"
    for ['/scim/v2', 'https://a.b/other'], ['/scim/v2', 'https://a.b'], ['/scim/v2', 'https://$host/scim/v22'], ['/scim/v2', 'https://a.b/scim'];
conf_good $t, "scim_base_url $_->[1] in location $_->[0]", http => $store,
    server => "location $_->[0] { scim main; scim_base_url $_->[1]; }"
    for ['/', 'https://a.b'], ['/', 'https://a.b/scim'], ['/scim/v2/Users', 'https://a.b/scim/v2'], ['/scim', 'https://$host/scim/v2'],
    ['= /scim/v2/Schemas', 'https://a.b/scim/v2'];
conf_bad $t, "location = $_", qr{"location = /scim/v2" matches nothing below it, such as /scim/v2/Users; write "location /scim/v2"},
    http => $store, server => "location = $_ { scim main; }" for '/scim/v2', '/scim/v2/';
conf_bad $t, 'one that no location has', qr/"scim_base_url" must be .* in .*nginx\.conf:\d+/, http => 'scim_base_url /scim;';

conf_bad $t, "scim_temp_path $_->[0]", $_->[1], http => $store, server => location("scim_temp_path $_->[0];")
    for ['a 0', qr/"scim_temp_path" directive invalid value/], ['a 1 1 1 1', qr/invalid number of arguments in "scim_temp_path"/];

# --- what nginx -t warns of: scim_auth off with write on an address that others reach

for (['*:%%PORT1%%', 1], ['127.0.0.1:%%PORT1%%', 0], ['unix:%%DIR%%/socket', 0], ['0.0.0.0:%%PORT1%%', 1], ['[::1]:%%PORT1%%', 0]) {
    my ($address, $warns) = @$_;
    for my $scope (qw(read write)) {
        $t->conf(undef, main => '', http => "$store server { listen $address; "
            . location("scim_auth off; scim_tenant acme; scim_scope $scope;") . ' }', server => '');
        my ($exit, $said) = $t->check;
        my $expected = $warns && $scope eq 'write' ? 'warns' : 'says nothing';
        my $found = $said =~ /\[warn\] .*"scim_auth off" with "scim_scope write" in .*nginx\.conf:\d+, on the address \S+: whoever/
            ? 'warns' : $said =~ /\[warn\]/ ? 'warns of something else' : 'says nothing';
        is "$exit $found", "0 $expected", "nginx -t of scim_auth off with $scope on $address $expected" or diag $said;
    }
}

# --- … and of a store that the workers cannot open, or that is larger than size=

SKIP: {
    my ($name, undef, $uid, $gid) = getpwnam 'nobody';
    $> == 0 && $uid or skip 'needs root and a user nobody', 8;
    my $group = getgrgid $gid;
    my $dir = "$t->{dir}/owned";
    mkdir $dir, 0700 or die;
    my $warned = sub {
        my ($name, $pattern) = @_;
        $t->conf(undef, main => "user nobody $group;", http => "scim_store main $dir;", server => '');
        my ($exit, $said) = $t->check;
        my ($warning) = $said =~ /\[warn\] (.*)/;
        ok $exit == 0 && ($pattern ? ($warning // '') =~ $pattern : !defined $warning), "$name: " . ($pattern ? 'a warning' : 'no warning')
            or diag $said;
    };
    chmod 0755, $t->{dir};
    $warned->('a directory of root', qr{"scim_store main": the user nobody cannot read and write "\Q$dir\E", which belongs to root:root with mode 0700; run: chown nobody:$group "\Q$dir\E"});
    chown $uid, $gid, $dir;
    $warned->('a directory of the workers\' user', undef);
    $t->write_file('owned/data.mdb', '');
    chmod 0600, "$dir/data.mdb";
    $warned->('a data.mdb of root', qr{cannot read and write "\Q$dir\E/data\.mdb", which belongs to root:root with mode 0600; run: chown nobody:$group});
    chown $uid, $gid, "$dir/data.mdb";
    chmod 0400, "$dir/data.mdb";
    $warned->('a data.mdb that is read-only', qr{with mode 0400; run: chmod u\+rw "\Q$dir\E/data\.mdb"});
    chmod 0600, "$dir/data.mdb";
    $warned->('a data.mdb of the workers\' user', undef);
    truncate "$dir/data.mdb", (1 << 30) + 1 or die;
    $warned->('a data.mdb larger than size=', qr{"scim_store main": size= is 1073741824 bytes, less than its data\.mdb has \(1073741825\)});
    truncate "$dir/data.mdb", 1 << 30 or die;
    $warned->('a data.mdb of size=', undef);
    unlink "$dir/data.mdb" and rmdir $dir or die;
}

# --- scim_thread_pool

my $pools = 'thread_pool one threads=1; thread_pool two threads=2;';
conf_good $t, 'one thread pool', main => $pools, http => "$store scim_thread_pool one;", server => location('');
conf_good $t, 'two thread pools', main => $pools, http => "$store scim_thread_pool one two;", server => location('');
conf_bad $t, 'an unknown pool to write', qr/unknown thread pool "three" in .*nginx\.conf:\d+/, main => $pools,
    http => "$store scim_thread_pool three two;";
open my $conf, '<', "$t->{dir}/nginx.conf" or die;
my $pool_line = 0;
while (<$conf>) { $pool_line = $., last if /scim_thread_pool/ }
conf_bad $t, 'an unknown pool to read', qr/unknown thread pool "three" in .*nginx\.conf:$pool_line\n/, main => $pools,
    http => "$store scim_thread_pool one three;";
conf_bad $t, 'pools twice', qr/"scim_thread_pool" directive is duplicate/, main => $pools,
    http => "$store scim_thread_pool one; scim_thread_pool two;";

# --- scim_log_retention

conf_good $t, "scim_log_retention $_", http => "$store scim_log_retention $_;", server => location('')
    for '1m', '60', '90d', '100y', '90d 1m', '"1d 12h" 1048576', '2w 4g';
conf_bad $t, "scim_log_retention $_", qr/"scim_log_retention": "\Q$_\E" is not a time from 1m to 100y/,
    http => "$store scim_log_retention $_;" for qw(59s 59 0 101y 5300w ever -1d 90x 4g);
conf_bad $t, "scim_log_retention 90d $_", qr/"scim_log_retention": "\Q$_\E" is not a size of 1m or more/,
    http => "$store scim_log_retention 90d $_;" for qw(1023k 0 -1 much 12x 90d);
conf_bad $t, 'retention twice', qr/"scim_log_retention" directive is duplicate/,
    http => "$store scim_log_retention 90d; scim_log_retention 90d;";
conf_bad $t, "retention $_", qr/invalid number of arguments in "scim_log_retention"/, http => "$store scim_log_retention $_;"
    for '', '90d 4g 1';
conf_bad $t, 'retention in a server', qr/"scim_log_retention" directive is not allowed here/, http => $store,
    server => 'scim_log_retention 90d;';

# --- nothing of this left a trace; a start makes the directory, and a test of its configuration does not touch it

ok !-e "$t->{dir}/store", 'nginx -t makes no store';
$t->conf(undef, main => '', http => $store, server => location(''))->start;
my @stat = stat "$t->{dir}/store";
ok -d _ && ($stat[2] & 07777) == 0700, 'a start makes the directory, for its owner alone';
$t->wait_for(sub { -s "$t->{dir}/store/data.mdb" }) or fail 'a worker makes the store';
$t->wait_for(sub { $t->request(GET => '/scim/v2/Users')->{status} == 401 }) or fail 'and serves it';

sub trace { return join ' ', map { my $f = $_; map "$f:$_", (stat $f)[1, 2, 4, 7, 9] } sort glob "$t->{dir}/store/*" }
my $before = trace();
conf_good $t, 'nginx -t beside a server', http => "scim_store main %%DIR%%/store size=2g; scim_store new %%DIR%%/new;",
    server => location('');
is trace(), $before, 'changes nothing in its store';
ok !-e "$t->{dir}/new", 'and makes no other';

# --- a directory that cannot be made after all ends no running server

$t->{expect_log} = [qr/cannot create directory/];
my %old = map { $_ => 1 } $t->workers;
$t->conf(undef, http => "$store scim_store deep /proc/scim;", server => location(''));
$t->signal('HUP');
ok $t->wait_log(qr{scim_store: cannot create directory "/proc/scim"}), 'a reload says so';
ok $t->wait_for(sub { my @now = $t->workers; @now && !grep $old{$_}, @now }), 'and has workers';
is $t->request(GET => '/scim/v2/Users')->{status}, 401, 'that serve the other store';

$t->finish;
