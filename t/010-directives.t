#!/usr/bin/perl
# `nginx -t` accepts every valid value of a directive and refuses every invalid one with a sentence that quotes it. It
# neither creates nor changes a store; only a start does. The module exports no symbols other than those that nginx reads.

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
is join(' ', sort $symbols =~ / (\S+)$/mg), 'ngx_module_names ngx_module_order ngx_modules',
    'the module exports only the symbols that nginx reads';

# nm appends @VERSION to a symbol whose library is linked and has versions.
{
    my $names = sub { my ($pattern, @command) = @_; return ($t->run('', @command))[1] =~ /$pattern/g };
    my %needed = map { $_ => 1 } $names->(qr/NEEDED\s+(\S+)/m, qw(objdump -p), $ENV{TEST_NGINX_MODULE});
    my @libraries = grep { my ($name) = m{([^/]+)\z}; $needed{$name} } $names->(qr/=> (\S+)/m, 'ldd', $ENV{TEST_NGINX_MODULE});
    my %known = map { $_ => 1 } $names->(qr/ ([^@\s]+)(?:@\S+)?$/m, qw(nm -D --defined-only), $ENV{TEST_NGINX_BINARY} // '/usr/sbin/nginx', @libraries);
    is join(' ', grep !$known{$_}, $names->(qr/ U ([^@\s]+)$/m, qw(nm -D --undefined-only), $ENV{TEST_NGINX_MODULE})), '',
        'every symbol that the module uses is of nginx or of a library that it is linked with';
}

# --- scim_store

conf_good $t, 'scim_store without size= is accepted', http => $store, server => location('');
conf_good $t, "scim_store with size=$_ is accepted", http => "scim_store main %%DIR%%/store size=$_;"
    for qw(1m 512m 16g 1048576);
conf_good $t, 'two stores are accepted', http => "$store scim_store other %%DIR%%/other;", server => location('');
conf_good $t, 'scim_store with a relative path is accepted', http => 'scim_store main store;';
conf_bad $t, 'two stores with the same name are refused', qr/duplicate name "main" in "scim_store" directive/,
    http => "$store scim_store main %%DIR%%/other;";
conf_bad $t, 'scim_store with an empty name is refused', qr/empty name in "scim_store" directive in /,
    http => "scim_store '' %%DIR%%/store;";
conf_bad $t, 'scim_store with an empty path is refused', qr/empty path of store "main" in "scim_store" directive in /,
    http => "scim_store main '';";
conf_bad $t,
    "scim_store with the path $_ is refused",
    qr{invalid path "[^"]*" in "scim_store" directive, it must not be the root directory}, http => "scim_store main $_;"
    for qw(/ // /. /proc/..);
mkdir "$t->{dir}/there" or die;
symlink 'there', "$t->{dir}/link" or die;
conf_bad $t, "two stores with the paths @$_ are refused",
    qr{duplicate path "[^"]*" in "scim_store" directive, store "main" uses it},
    http => "scim_store main %%DIR%%/$_->[0]; scim_store other %%DIR%%/$_->[1];"
    for [qw(store store/)], [qw(store there/../store)], [qw(there there/.)], [qw(there there/../there/)], [qw(there link)];
conf_good $t, 'two stores in the same directory are accepted',
    http => 'scim_store main %%DIR%%/there; scim_store other %%DIR%%/there/../store;';
rmdir "$t->{dir}/there" && unlink "$t->{dir}/link" or die;
conf_bad $t, "scim_store with size=$_ is refused",
    qr/invalid size "\Q$_\E" in "scim_store" directive, it must be a size such as 512m or 16g, at least 1m and less than 131072g in /,
    http => "scim_store main %%DIR%%/store size=$_;"
    for qw(0 1023k -1 lots 12x 16gb 131072g 900000000g), '';
conf_good $t, 'scim_store with the largest size is accepted', http => 'scim_store main %%DIR%%/store size=131071g;';
conf_bad $t, 'scim_store with an unknown parameter is refused',
    qr/invalid parameter "siez=1g" in "scim_store" directive, it must be size=SIZE/,
    http => 'scim_store main %%DIR%%/store siez=1g;';
$t->write_file('plain', '');
conf_bad $t,
    'scim_store in a directory that does not exist is refused',
    qr{invalid path "[^"]*/no/store" in "scim_store" directive, the parent directory "[^"]*/no" does not exist},
    http => 'scim_store main %%DIR%%/no/store;';
conf_bad $t,
    'scim_store in a path below a file is refused',
    qr{invalid path "[^"]*/plain/store" in .*, the parent directory "[^"]*/plain" is not a directory in },
    http => 'scim_store main %%DIR%%/plain/store;';
conf_bad $t, 'scim_store with the path of a file is refused',
    qr{invalid path "[^"]*/plain" in "scim_store" directive, it is not a directory},
    http => 'scim_store main %%DIR%%/plain;';
conf_bad $t,
    'scim_store without a path is refused', qr/invalid number of arguments in "scim_store"/, http => 'scim_store main;';
conf_bad $t,
    'scim_store in server is refused', qr/"scim_store" directive is not allowed here/, server => 'scim_store main store;';

# --- scim

conf_bad $t,
    'scim with an unknown store is refused', qr{unknown store "main" in .*nginx\.conf:\d+}, server => location('');
conf_bad $t, 'scim twice in a location is refused', qr/"scim" directive is duplicate/, http => $store,
    server => location('scim main;');
conf_bad $t, 'scim in http is refused', qr/"scim" directive is not allowed here/, http => "$store scim main;";
conf_bad $t, 'scim in server is refused', qr/"scim" directive is not allowed here/, http => $store, server => 'scim main;';
conf_bad $t, 'scim in "if" is refused', qr/"scim" directive is not allowed here/, http => $store,
    server => 'location / { if ($arg_a) { scim main; } }';
conf_bad $t, 'scim in a named location is refused',
    qr/"scim" cannot be used inside "if" or a named location in .*nginx\.conf:\d+/,
    http => $store,
    server => 'location / { error_page 404 @scim; } location @scim { scim main; }';
my $regex = 'location ~ ^/t/(?<name>[a-z]+)/scim { scim main;';
conf_bad $t,
    'scim in a regular expression location is refused without scim_base_url',
    qr/"scim" in a location given by regular expression requires "scim_base_url"/,
        http => $store, server => "$regex }";
conf_good $t, 'scim in a regular expression location is accepted with scim_base_url', http => $store,
    server => "$regex scim_base_url http://a.b/t/\$name/scim; }";

# --- directives that are valid in http, server and location, and their values

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
    scim_cursor_timeout => [[qw(1s 90 10m 24h 365d 1h30m)], [qw(0 0s 366d -1 1x ten '')]],
    scim_max_json_depth => [[4, 16, 64], [3, 65, @no_number]],
    scim_max_filter_depth => [[1, 32, 256], [0, 257, @no_number]],
    scim_bulk_max_operations => [[1, 1000, 10000], [0, 10001, @no_number]],
    scim_bulk_atomic => [[qw(off on)], [qw(yes)]],
);
my %sentence = (
    scim_base_url => sub {
        my $v = $_[0] =~ s/'//gr;
        qr/invalid value "\Q$v\E" in "scim_base_url" directive, it must be an absolute http or https URL without .* trailing slash in /
    },
    scim_tenant => sub { qr/empty name in "scim_tenant" directive in / },
    scim_cursor_timeout => sub {
        my $v = $_[0] =~ s/['"]//gr;
        qr/invalid time "\Q$v\E" in "scim_cursor_timeout" directive, it must be between 1s and 365d in /
    },
    scim_auth => sub { qr/invalid value "$_[0]" in "scim_auth" directive, it must be "off" or "token" in / },
    scim_scope => sub { qr/invalid value "$_[0]" in "scim_scope" directive, it must be "read" or "write" in / },
    scim_bulk_atomic => sub { qr/invalid value "$_[0]" in "scim_bulk_atomic" directive, it must be "off" or "on" in / },
    scim_profile => sub { qr/invalid value "$_[0]" in "scim_profile" directive, it must be "default" or "rfc" in / },
    (map {
        my $d = $_;
        $_ => sub { my $v = $_[0] =~ s/'//gr; qr/invalid value "\Q$v\E" in "$d" directive, it must be an integer between \d+ and \d+ in / }
    } grep /_max_/, keys %values),
);
for my $directive (sort keys %values) {
    my ($good, $bad) = @{ $values{$directive} };
    for my $value (@$good) {
        my $line = "$directive $value;";
        conf_good $t, "$line in http is accepted", http => "$store $line", server => location('');
        conf_good $t, "$line in server is accepted", http => $store, server => $line . location('');
        conf_good $t, "$line in location is accepted", http => $store, server => location($line);
    }
    for my $value (@$bad) {
        conf_bad $t, "$directive $value is refused", $sentence{$directive}->($value),
            http => $store, server => location("$directive $value;");
    }
    conf_bad $t, "$directive twice is refused", qr/"$directive" directive is duplicate/, http => $store,
        server => location("$directive $good->[0]; $directive $good->[0];");
    conf_bad $t, "$directive without a value is refused", qr/invalid number of arguments in "$directive"/, http => $store,
        server => location("$directive;");
}
conf_good $t,
    'scim_auth off with scim_tenant is accepted', http => $store, server => location('scim_auth off; scim_tenant acme;');
conf_good $t, 'scim_auth off with an inherited scim_tenant is accepted', http => "$store scim_tenant acme;",
    server => location('scim_auth off;');
conf_bad $t, 'scim_auth off without scim_tenant is refused',
    qr/"scim_auth off" requires "scim_tenant".* in .*nginx\.conf:\d+/,
    http => $store,
    server => location('scim_auth off;');
conf_bad $t, 'scim_tenant with an unknown variable is refused', qr/unknown "nosuch" variable/, http => $store,
    server => location('scim_tenant $nosuch;');

conf_bad $t,
    "scim_base_url $_ is refused",
    qr/invalid value ".*" in "scim_base_url" directive, it contains a .* not allowed in a URL in /,
    http => $store, server => location("scim_base_url $_;")
    for q('https://a b/c'), q('https://a/"b'), q('https://a/\\\\b'), q("https://$host/a b"), "https://a/\x7f", "https://a/\xff";
conf_bad $t, "scim_tenant $_ is refused",
    qr/invalid value ".*" in "scim_tenant" directive, it must consist of 1 to 255 letters/,
    http => $store,
    server => location("scim_tenant $_;") for q('a b'), q("$host x"), 'a/b', 'a' x 256;
conf_bad $t,
    "scim_base_url $_->[1] in location $_->[0] is refused",
    qr/invalid path ".*" in "scim_base_url" directive, it must be "\Q$_->[2]\E" for location "\Q$_->[0]\E" in /,
    http => $store, server => "location $_->[0] { scim main; scim_base_url $_->[1]; }"
    for map [@$_, '/scim/v2'], ['/scim/v2', 'https://a.b/other'], ['/scim/v2', 'https://a.b'], ['/scim/v2', 'https://$host/scim/v22'],
    ['/scim/v2/', 'https://a.b/scim'];
conf_good $t, "scim_base_url $_->[1] in location $_->[0] is accepted", http => $store,
    server => "location $_->[0] { scim main; scim_base_url $_->[1]; }"
    for ['/', 'https://a.b'], ['/', 'https://a.b/scim'], ['/scim/v2/Users', 'https://a.b/scim/v2'], ['/scim', 'https://$host/scim/v2'],
    ['= /scim/v2/Schemas', 'https://a.b/scim/v2'];
conf_bad $t,
    "scim in location = $_ is refused",
    qr{"location = /scim/v2" does not match URIs below it, such as /scim/v2/Users; use "location /scim/v2"},
    http => $store, server => "location = $_ { scim main; }" for '/scim/v2', '/scim/v2/';
conf_bad $t,
    'an invalid scim_base_url in http is refused although no location inherits it',
    qr/in "scim_base_url" directive, it must be .* in .*nginx\.conf:\d+/, http => 'scim_base_url /scim;';

conf_bad $t, "scim_temp_path $_->[0] is refused", $_->[1], http => $store, server => location("scim_temp_path $_->[0];")
    for ['a 0', qr/"scim_temp_path" directive invalid value/], ['a 1 1 1 1', qr/invalid number of arguments in "scim_temp_path"/];

# --- warnings of nginx -t: scim_auth off with scim_scope write on an address that other hosts reach

for (['*:%%PORT1%%', 1], ['127.0.0.1:%%PORT1%%', 0], ['unix:%%DIR%%/socket', 0], ['0.0.0.0:%%PORT1%%', 1], ['[::1]:%%PORT1%%', 0]) {
    my ($address, $warns) = @$_;
    for my $scope (qw(read write)) {
        $t->conf(undef, main => '', http => "$store server { listen $address; "
            . location("scim_auth off; scim_tenant acme; scim_scope $scope;") . ' }', server => '');
        my ($exit, $said) = $t->check;
        my $expected = $warns && $scope eq 'write' ? 'warns' : 'says nothing';
        my $found =
            $said =~ /\[warn\] .*"scim_auth off" with "scim_scope write" in .*nginx\.conf:\d+, on the address \S+: any client/
            ? 'warns' : $said =~ /\[warn\]/ ? 'warns of something else' : 'says nothing';
        is "$exit $found", "0 $expected", "nginx -t of scim_auth off with $scope on $address $expected" or diag $said;
    }
}

# --- warnings of nginx -t: a store that the workers cannot open, or that is larger than size=

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
        ok $exit == 0 && ($pattern ? ($warning // '') =~ $pattern : !defined $warning),
            "nginx -t prints " . ($pattern ? 'a' : 'no') . " warning for $name"
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
    $warned->('a data.mdb larger than size=',
        qr{"scim_store main": "size" is 1073741824 bytes, less than the 1073741825 bytes of its data\.mdb});
    truncate "$dir/data.mdb", 1 << 30 or die;
    $warned->('a data.mdb of size=', undef);
    unlink "$dir/data.mdb" and rmdir $dir or die;
}

# --- scim_thread_pool

my $pools = 'thread_pool one threads=1; thread_pool two threads=2;';
conf_good $t, 'scim_thread_pool with one pool is accepted', main => $pools, http => "$store scim_thread_pool one;",
    server => location('');
conf_good $t, 'scim_thread_pool with two pools is accepted', main => $pools, http => "$store scim_thread_pool one two;",
    server => location('');
conf_bad $t,
    'scim_thread_pool with an unknown pool for writes is refused', qr/unknown thread pool "three" in .*nginx\.conf:\d+/,
        main => $pools,
    http => "$store scim_thread_pool three two;";
open my $conf, '<', "$t->{dir}/nginx.conf" or die;
my $pool_line = 0;
while (<$conf>) { $pool_line = $., last if /scim_thread_pool/ }
conf_bad $t,
    'scim_thread_pool with an unknown pool for reads is refused', qr/unknown thread pool "three" in .*nginx\.conf:$pool_line\n/, main => $pools,
    http => "$store scim_thread_pool one three;";
conf_bad $t, 'scim_thread_pool twice is refused', qr/"scim_thread_pool" directive is duplicate/, main => $pools,
    http => "$store scim_thread_pool one; scim_thread_pool two;";

# --- scim_log_retention

conf_good $t, "scim_log_retention $_ is accepted", http => "$store scim_log_retention $_;", server => location('')
    for '1m', '60', '90d', '100y', '90d 1m', '"1d 12h" 1048576', '2w 4g';
conf_bad $t, "scim_log_retention $_ is refused",
    qr/invalid time "\Q$_\E" in "scim_log_retention" directive, it must be a time such as 90d, between 1m and 100y in /,
    http => "$store scim_log_retention $_;" for qw(59s 59 0 101y 5300w ever -1d 90x 4g);
conf_bad $t, "scim_log_retention 90d $_ is refused",
    qr/invalid size "\Q$_\E" in "scim_log_retention" directive, it must be a size such as 512m or 4g, at least 1m in /,
    http => "$store scim_log_retention 90d $_;" for qw(1023k 0 -1 much 12x 90d);
conf_bad $t, 'scim_log_retention twice is refused', qr/"scim_log_retention" directive is duplicate/,
    http => "$store scim_log_retention 90d; scim_log_retention 90d;";
conf_bad $t,
    "scim_log_retention with the arguments '$_' is refused", qr/invalid number of arguments in "scim_log_retention"/,
        http => "$store scim_log_retention $_;"
    for '', '90d 4g 1';
conf_bad $t,
    'scim_log_retention in server is refused', qr/"scim_log_retention" directive is not allowed here/, http => $store,
    server => 'scim_log_retention 90d;';

# --- the tests above have made no store; a start makes the directory, and nginx -t does not change it

ok !-e "$t->{dir}/store", 'nginx -t makes no store';
$t->conf(undef, main => '', http => $store, server => location(''))->start;
my @stat = stat "$t->{dir}/store";
ok -d _ && ($stat[2] & 07777) == 0700, 'a start makes the directory with mode 0700';
$t->wait_for(sub { -s "$t->{dir}/store/data.mdb" }) or fail 'a worker makes data.mdb';
$t->wait_for(sub { $t->request(GET => '/scim/v2/Users')->{status} == 401 }) or fail 'a worker serves the store';

sub fingerprint { return join ' ', map { my $f = $_; map "$f:$_", (stat $f)[1, 2, 4, 7, 9] } sort glob "$t->{dir}/store/*" }
my $before = fingerprint();
conf_good $t, 'nginx -t accepts a configuration with a second store while nginx runs',
    http => "scim_store main %%DIR%%/store size=2g; scim_store new %%DIR%%/new;",
    server => location('');
is fingerprint(), $before, 'nginx -t changes no file of a store that is served';
ok !-e "$t->{dir}/new", 'nginx -t does not make the second store';

# --- a store directory that cannot be made at a reload does not end nginx

$t->{expect_log} = [qr/cannot create store directory/];
my %old = map { $_ => 1 } $t->workers;
$t->conf(undef, http => "$store scim_store deep /proc/scim;", server => location(''));
$t->signal('HUP');
ok $t->wait_log(qr{scim: cannot create store directory "/proc/scim"}), 'a reload logs that the directory cannot be made';
ok $t->wait_for(sub { my @now = $t->workers; @now && !grep $old{$_}, @now }),
    'a reload starts new workers although a directory cannot be made';
is $t->request(GET => '/scim/v2/Users')->{status}, 401, 'the new workers serve the other store';

$t->finish;
